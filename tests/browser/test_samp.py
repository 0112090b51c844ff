"""Sending a spectrum to programs on the same computer, in front of a hub that the test plays."""

from __future__ import annotations

import xmlrpc.client

from tests.browser.chromium import needs_chromium, playwright_api
from tests.browser.test_pages import desk  # noqa: F401 - the fixture

pytestmark = needs_chromium
HUB = "http://localhost:21012/"
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type"}


class Hub:
    """A hub with TOPCAT, as XML-RPC of the standard library reads and writes it."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[tuple[str, tuple]] = []

    async def answer(self, route):
        request = route.request
        if request.method == "OPTIONS":
            await route.fulfill(status=200, headers=CORS)
            return
        parameters, method = xmlrpc.client.loads(request.post_data)
        self.calls.append((method, parameters))
        await route.fulfill(
            status=200, headers=CORS, content_type="text/xml", body=self.body(method, parameters)
        )

    def body(self, method, parameters):
        name = method.removeprefix("samp.webhub.")
        if name == "register":
            if self.refuses:
                return xmlrpc.client.dumps(xmlrpc.client.Fault(1, "the user said no"))
            found = {"samp.private-key": "key<&>", "samp.self-id": "c1", "samp.hub-id": "hub"}
        elif name == "getSubscribedClients":
            found = {"c2": {}} if parameters[1] == "table.load.votable" else {}
        elif name == "getMetadata":
            found = {"samp.name": "TOPCAT"}
        else:
            found = {}
        return xmlrpc.client.dumps((found,), methodresponse=True)


async def shown(desk, path):  # noqa: F811 - the fixture's value
    await desk.ready(path)
    return desk.page.locator("#samp"), desk.page.locator("#samp-status")


async def test_a_spectrum_is_sent_and_people_are_told_what_became_of_it(desk):  # noqa: F811 - the fixture
    product = desk.rows.products["8/blue/object/1"]
    button, status = await shown(desk, f"/products/{product}?fibre=2")
    await button.click()
    await playwright_api.expect(status).to_contain_text("no hub runs on this computer. Start TOPCAT")

    hub = Hub(refuses=True)
    await desk.page.route(f"{HUB}**", hub.answer)
    await button.click()
    await playwright_api.expect(status).to_contain_text("the hub refused (the user said no)")

    hub.refuses = False
    await sent(desk, hub, button, status, product)
    await sent(desk, hub, *await shown(desk, f"/explorer?product={product}&fibre=2"), product)
    # What the browser says of a hub, and of images of the sky, that are not there.
    assert all("net::ERR_" in text for text in desk.complaints), desk.complaints
    desk.complaints.clear()


async def sent(desk, hub, button, status, product):  # noqa: F811 - the fixture's value
    hub.calls.clear()
    await button.click()
    await playwright_api.expect(status).to_have_text("Sent to TOPCAT.")
    methods = [method.removeprefix("samp.webhub.") for method, _parameters in hub.calls]
    assert methods[:2] == ["register", "declareMetadata"]
    ((key, message),) = [parameters for method, parameters in hub.calls if method.endswith("notifyAll")]
    assert key == "key<&>"
    assert message["samp.mtype"] == "table.load.votable"
    assert message["samp.params"]["url"] == f"{desk.url}/vo/spectra/{product}/2.vot"
    answer = await desk.page.request.get(message["samp.params"]["url"])
    assert answer.headers["content-type"] == "application/x-votable+xml"
