// The status feed: one websocket that comes back by itself and continues where it was.

const QUIET_LIMIT = 25_000; // more than two heartbeats
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const ENDED = 4401; // whoever this was is no longer known

export class Feed {
  // `night`: null for all; `on` has: snapshot(message), delta(event), state(name, words)
  constructor(night, seq, on) {
    this.night = night;
    this.seq = seq;
    this.on = on;
    this.wait = FIRST_WAIT;
    this.closed = false;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.hurry(); });
    addEventListener("online", () => this.hurry());
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const query = new URLSearchParams();
    if (this.night != null) query.set("night", this.night);
    if (this.seq != null) query.set("since", this.seq);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/status?${query}`);
    this.socket = socket;
    this.watch();
    socket.onmessage = (message) => { if (socket === this.socket) this.take(JSON.parse(message.data)); };
    socket.onclose = (event) => { if (socket === this.socket) this.lost(event.code); };
  }

  take(message) {
    this.watch();
    this.wait = FIRST_WAIT;
    if (message.type === "snapshot") {
      this.seq = message.seq;
      this.on.snapshot(message);
    } else if (message.type === "delta") {
      this.seq = message.seq;
      this.on.delta(message.event);
    } else if (message.type === "heartbeat") {
      this.seq = Math.max(this.seq ?? 0, message.seq);
    }
    if (message.type === "unavailable") this.on.state("wait", message.reason);
    else if (message.type === "resync") this.on.state("wait", "catching up");
    else this.on.state("live", "live");
  }

  lost(code) {
    clearTimeout(this.quiet);
    if (code === ENDED) {
      this.on.state("off", "signed out");
      location.reload(); // what may still be seen
      return;
    }
    this.on.state("wait", "connection lost, trying again");
    this.timer = setTimeout(() => this.open(), this.wait * (0.7 + 0.6 * Math.random()));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }

  hurry() {
    if (!this.closed && this.socket.readyState === WebSocket.CLOSED) this.open();
  }

  // For good.
  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.quiet);
    const socket = this.socket;
    this.socket = null; // nothing that it says is heard any more
    socket.close();
  }

  // A connection that dies without a word shows by its silence.
  watch() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => {
      const dead = this.socket;
      this.socket = null;
      dead.close();
      this.open();
    }, QUIET_LIMIT);
  }
}
