"""The language of the pages: the browser's, or the one that is chosen on them."""

import re

import pytest
from playwright.sync_api import Locator, expect
from upload import drop

from covidct.ui.languages import COOKIE

pytestmark = pytest.mark.browser


def test_pages_speak_the_language_of_the_browser_or_the_one_chosen(server, new_page, slices):
    page = new_page(locale="es-ES", accepts_notice=False)
    page.add_locator_handler(page.get_by_role("button", name="Comprendo y acepto"), Locator.click)
    page.goto(server.url)
    html = page.locator("html")
    expect(page.get_by_role("heading", level=1)).to_have_text("COVID-19 en un corte de TC de tórax")
    expect(html).to_have_attribute("lang", "es")
    drop(page, slices[0])
    verdict = page.locator(".cv-verdict")
    expect(verdict).to_contain_text(re.compile("Positivo|Negativo|Indeterminado"))

    choose(page, "English")
    expect(page.get_by_role("heading", level=1)).to_have_text("COVID-19 on a chest CT slice")
    expect(html).to_have_attribute("lang", "en")
    expect(verdict).to_contain_text(re.compile("Positive|Negative|Uncertain"))
    page.wait_for_function("name => document.cookie.includes(name)", arg=f"{COOKIE}=en")
    (kept,) = (one for one in page.context.cookies() if one["name"] == COOKIE)
    assert kept["expires"] == -1  # until the browser is closed
    page.reload()
    expect(page.get_by_role("link", name="Training")).to_be_visible()
    page.get_by_role("link", name="Training").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train on your own slices")

    choose(page, "Español")
    expect(page.get_by_role("heading", level=1)).to_have_text("Entrenar con sus propios cortes")
    expect(html).to_have_attribute("lang", "es")


@pytest.mark.parametrize(
    ("locale", "about", "limits", "where"),
    [
        ("es-ES", "Acerca de este modelo", "Limitaciones", "inglés"),
        ("zh-CN", "关于该模型", "局限性", "英文"),
    ],
)
def test_of_a_model_s_card_what_stays_english_is_said_to_be_and_is_marked_so(
    server, new_page, locale, about, limits, where
):
    page = new_page(locale=locale, accepts_notice=False)
    accept = re.compile("Comprendo y acepto|我已了解并接受")
    page.add_locator_handler(page.get_by_role("button", name=accept), Locator.click)
    page.goto(server.url)
    page.get_by_text(about, exact=True).click()
    card = page.locator(".cv-card")
    assert not card.first.locator("[lang]").count()  # whose lines are all of the page's language
    expect(card.first).not_to_contain_text("Research on")
    folded = card.last.locator("details", has_text=limits).first
    note = page.get_by_text(where).last
    assert note.bounding_box()["y"] < folded.bounding_box()["y"]
    assert card.last.locator("details > :not(summary):not([lang=en])").count() == 0


def choose(page, language):
    page.locator(".st-key-language").get_by_role("combobox").click()
    page.get_by_role("option", name=language).click()
