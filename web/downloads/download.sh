#!/bin/sh
# Fetches @COUNT@ files (@BYTES@ bytes) from PAWS Live into a folder, each checked by its SHA-256.
# Interrupted? Run it again. What is there is kept, what was begun goes on where it stopped.
#
#   PAWS_TOKEN   token of your account page, for what is not public
#   PAWS_SHARE   key of a share link, for what was shared with you
#   PAWS_URL     address of the server, where it is another for you
#
# Both secrets are read from the environment, and reach curl by its standard input: no address and no list of
# processes shows them.
set -eu

base=${PAWS_URL@BASE@}
query=@QUERY@
folder=@FOLDER@

command -v curl >/dev/null || { echo "curl is needed." >&2; exit 2; }
if command -v sha256sum >/dev/null; then sum() { sha256sum "$1"; }
elif command -v shasum >/dev/null; then sum() { shasum -a 256 "$1"; }
else echo "sha256sum or shasum is needed." >&2; exit 2; fi

case "${PAWS_TOKEN:-}${PAWS_SHARE:-}" in
    *[!A-Za-z0-9._-]*) echo "PAWS_TOKEN or PAWS_SHARE is no token or key of PAWS Live." >&2; exit 2 ;;
esac

secrets() {
    if [ -n "${PAWS_TOKEN:-}" ]; then echo "header = \"Authorization: Bearer $PAWS_TOKEN\""; fi
    if [ -n "${PAWS_SHARE:-}" ]; then
        case "$base" in https:*) mark=__Host- ;; *) mark= ;; esac
        echo "header = \"Cookie: ${mark}paws_share=$PAWS_SHARE\""
    fi
}

is_good() { [ -f "$1" ] && [ "$(sum "$1" | cut -c 1-64)" = "$2" ]; }

# One try: what was begun goes on. A part that the server does not continue (curl's 33 and 36) begins anew.
try() {
    secrets | curl --config - --fail --silent --show-error --connect-timeout 30 --speed-limit 1 --speed-time 60 \
        --continue-at - --output "$1.part" "$base/api/downloads/file?$query&sha256=$2" && return 0
    case $? in
        33 | 36) rm -f "$1.part" ;;
        22) if is_good "$1.part" "$2"; then return 0; fi ;;
    esac
    return 1
}

fetch() {
    mkdir -p "$(dirname "$1")"
    tries=0
    while [ "$tries" -lt 6 ]; do
        # As long as the whole and yet not it: nothing can be added to that.
        if [ -f "$1.part" ] && [ "$(wc -c <"$1.part")" -ge "$3" ] && ! is_good "$1.part" "$2"; then rm -f "$1.part"; fi
        if is_good "$1.part" "$2" || try "$1" "$2"; then
            if is_good "$1.part" "$2"; then mv "$1.part" "$1"; return 0; fi
            echo "$1 is not what was announced; it is fetched anew." >&2
            rm -f "$1.part"
        fi
        tries=$((tries + 1))
        if [ "$tries" -lt 6 ]; then sleep $((tries * 2)); fi
    done
    return 1
}

mkdir -p "$folder"
cd "$folder"
done=0
failed=0
while read -r sha256 size name; do
    [ -n "$sha256" ] || continue
    done=$((done + 1))
    if is_good "$name" "$sha256"; then continue; fi
    echo "$done of @COUNT@: $name ($size bytes)"
    if ! fetch "$name" "$sha256" "$size" </dev/null; then
        echo "$name could not be fetched. If it was made anew meanwhile, get a new script." >&2
        failed=$((failed + 1))
    fi
done <<'PAWS_FILES'
@FILES@PAWS_FILES
if [ "$failed" -gt 0 ]; then
    echo "$failed of @COUNT@ files could not be fetched. Run this script again." >&2
    exit 1
fi
sed -n '/^[0-9a-f]\{64\} [0-9]* /s/^\([0-9a-f]*\) [0-9]* /\1  /p' <<'PAWS_FILES' >SHA256SUMS
@FILES@PAWS_FILES
echo "All @COUNT@ files are in $folder, and are what was announced."
