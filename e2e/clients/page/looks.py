"""The page is for everyone: with a keyboard, a screen reader, in the dark, on a small screen."""

from browser import DOWN, ENTER, LEFT, Tab
from harness import case, equal
from sees import page

#: WCAG's ratio of the lightness of two colours, as the browser has computed them.
CONTRAST = """
const lightness = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : colour;
};
const poor = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility()) continue;
  const [a, b] = [lightness(getComputedStyle(element).color), lightness(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push(`${element.tagName} ${element.innerText} ${ratio.toFixed(2)}`);
}
return poor;
"""


def service(t):
    """A place where there is something of each kind to look at."""
    zk = t.rooted()
    zk.create(t.root + "/a", b"10.0.0.1:8080", ephemeral=True)
    zk.create(t.root + "/b", b"http://10.0.0.2:99999/")
    return "service" + t.root


@case
def everything_is_reached_by_keyboard(t):
    zk = t.rooted()
    zk.create(t.root + "/a/b", b"deep", makepath=True)
    zk.create(t.root + "/c")
    with Tab() as tab:
        tab.open(page(t))
        tab.reads("#children", t.root[1:])
        tab.press("body", "/")
        equal(tab.script("return document.activeElement.id"), "path")
        tab.press("#path", t.root, ENTER)
        tab.reads("#crumbs", t.root[1:])
        tab.reads("#children", "a", "c")
        tab.press("#filter", DOWN)
        tab.press("#children a[data-key=a]", DOWN)
        equal(tab.script("return document.activeElement.dataset.key"), "c")
        zk.create(t.root + "/b")
        tab.reads("#children", "b")
        equal(tab.script("return document.activeElement.dataset.key"), "c")
        tab.press("#children a[data-key=a]", ENTER)
        tab.reads("#children", "b", without=["c"])
        tab.press("#children a[data-key=b]", LEFT)
        tab.reads("#children", "c")


@case
def everything_has_a_name_that_can_be_read_aloud(t):
    with Tab() as tab:
        tab.open(page(t, service(t)))
        tab.reads("#view", "10.0.0.1", "Rejected")
        tab.command("Accessibility.enable")
        nodes = tab.command("Accessibility.getFullAXTree")["nodes"]
        wanted = {"link", "button", "textbox", "searchbox", "table", "navigation", "img", "DisclosureTriangle"}
        found = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
        found = [(role, name) for role, name in found if role in wanted]
        assert len(found) > 20, found
        equal([role for role, name in found if not name.strip()], [])
        headings = tab.script("return [...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
        equal((headings[0], headings.count(1)), (1, 1))


@case
def it_can_be_read_in_the_light_and_in_the_dark(t):
    with Tab() as tab:
        tab.open(page(t, service(t)))
        tab.reads("#view", "10.0.0.1", "Rejected")
        grounds = []
        for scheme in ("light", "dark"):
            tab.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            equal(tab.script(CONTRAST), [])
            grounds.append(tab.script("return getComputedStyle(document.body).backgroundColor"))
        assert grounds[0] != grounds[1], grounds


@case
def it_fits_on_a_small_screen(t):
    with Tab() as tab:
        tab.command("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
        for place in (service(t), "znode" + t.root, "leader" + t.root):
            tab.open(page(t, place))
            tab.reads("#children", "a", "b")
            tab.picture("small-" + place.split("/")[0])
            width = tab.script("return [document.documentElement.scrollWidth, innerWidth]")
            assert width[0] <= width[1], f"{place}: {width}"
