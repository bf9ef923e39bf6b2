"""The real Flower, in its own environment, and the stand-in of PingFederate."""

import threading
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

import harness
from contrib.flowers import path_of, said


def test_an_admin_enters_and_sees_the_workers(flower, provider):
    with flower.browser() as browser:
        away = browser.get("/workers")
        assert path_of(away) == "/login?next=%2Fworkers"

        back = flower.enter(browser, provider, "ada", path_of(away))
        assert path_of(back) == "/workers"

        page = browser.get("/workers")
        assert (page.status_code, "Log out ada%40example.com@celeriac" in page.text) == (200, True)
        assert browser.get("/api/workers").status_code == 200
    assert "Sign-on: 'ada@example.com' (subject 'ada') from 127.0.0.1: admin in all clusters" in flower.log.read_text()


def test_what_the_browser_is_sent_with_is_code_pkce_state_and_nonce(flower, provider):
    with flower.browser() as browser:
        sent = parse_qs(urlsplit(browser.get("/login").headers["location"]).query)

    assert sent["response_type"] == ["code"]
    assert sent["code_challenge_method"] == ["S256"]
    assert all(len(sent[name][0]) >= 43 for name in ("code_challenge", "state", "nonce"))


def test_who_lacks_a_right_sees_no_page_of_flower(flower, provider):
    lacking = {
        "vera": "What is lacking is the right to act on tasks.",
        "rob": "What is lacking is the right to see payloads.",
        "nob": "no group of yours has a role",
    }
    for name, sentence in lacking.items():
        with flower.browser() as browser:
            back = flower.enter(browser, provider, name)

            assert (back.status_code, sentence in said(back)) == (403, True), name
            assert path_of(browser.get("/workers")) == "/login?next=%2Fworkers"
            assert "user" not in browser.cookies
        assert f"You have signed on as {name}@example.com" in flower.log.read_text()


def test_a_flower_for_reading_takes_viewers(start_flower, provider):
    flower = start_flower("--read_only=true")

    with flower.browser() as browser:
        assert path_of(flower.enter(browser, provider, "vera")) == "/"
        token = browser.get("/workers").cookies["_xsrf"]
        assert browser.post("/api/worker/shutdown/w", headers={"X-Xsrftoken": token}).status_code == 403


def test_the_role_that_it_takes_can_be_set(start_flower, provider):
    flower = start_flower(CELERIAC_FLOWER_ROLE="viewer")

    with flower.browser() as browser:
        assert path_of(flower.enter(browser, provider, "vera")) == "/"


def test_an_answer_with_a_forged_state_is_refused(flower, provider):
    with flower.browser() as browser:
        answer = flower.answer(browser, provider, "ada")

        back = flower.back(browser, answer | {"state": "forged"})

    assert (back.status_code, "was not begun in this browser" in said(back)) == (403, True)


def test_an_answer_is_worth_nothing_in_another_browser(flower, provider):
    with flower.browser() as mine, flower.browser() as theirs:
        answer = flower.answer(mine, provider, "ada")
        theirs.get("/login")

        back = flower.back(theirs, answer)

    assert (back.status_code, "was not begun in this browser" in said(back)) == (403, True)


def test_a_cookie_of_ones_own_making_is_refused(flower, provider):
    with flower.browser() as browser:
        answer = flower.answer(browser, provider, "ada")
        name = next(name for name in browser.cookies if name.startswith("sign-on-"))
        signed = browser.cookies[name].strip('"')
        browser.cookies.clear()
        browser.cookies.set(name, signed[:-1] + ("0" if signed[-1] != "0" else "1"))

        assert flower.back(browser, answer).status_code == 403
        browser.cookies.set("user", "2|1:0|10:1790000000|4:user|16:YWRhQGNlbGVyaWFj|" + "0" * 64)
        assert path_of(browser.get("/workers")) == "/login?next=%2Fworkers"


def test_an_answer_is_taken_once(flower, provider):
    with flower.browser() as browser:
        answer = flower.answer(browser, provider, "ada")
        kept = dict(browser.cookies)
        assert path_of(flower.back(browser, answer)) == "/"

        assert "was used already" in said(flower.back(browser, answer))
        browser.cookies.clear()
        again = browser.get("/login", params=answer, headers={"Cookie": "; ".join(f"{n}={v}" for n, v in kept.items())})

    assert (again.status_code, "was used before" in said(again)) == (403, True)


def test_an_answer_of_another_provider_is_refused(flower, provider):
    with flower.browser() as browser:
        answer = flower.answer(browser, provider, "ada")

        back = flower.back(browser, answer | {"iss": "https://other.example.com"})

    assert (back.status_code, "from another provider than ours (iss)" in said(back)) == (403, True)


def test_a_code_of_somebody_else_is_refused(flower, provider):
    with flower.browser() as mine, flower.browser() as theirs:
        stolen = flower.answer(theirs, provider, "ada")["code"]
        answer = flower.answer(mine, provider, "vera")

        back = flower.back(mine, answer | {"code": stolen})

    assert back.status_code == 403
    assert "does not take it any more" in said(back)


def test_it_goes_on_to_its_own_paths_only(flower, provider):
    foreign = ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example"]

    for onward in foreign:
        with flower.browser() as browser:
            back = flower.enter(browser, provider, "ada", f"/login?{urlencode({'next': onward})}")

        assert path_of(back) == "/", onward


def test_two_tabs_sign_on_at_once(flower, provider):
    with flower.browser() as browser:
        first = flower.answer(browser, provider, "ada", "/login?next=/tasks")
        second = flower.answer(browser, provider, "ada", "/login?next=/broker")

        assert path_of(flower.back(browser, second)) == "/broker"
        assert path_of(flower.back(browser, first)) == "/tasks"


def test_a_flower_below_a_path_stays_there(start_flower, provider):
    flower = start_flower(prefix="/flower")

    with flower.browser() as browser:
        assert path_of(browser.get("/workers")) == "/flower/login?next=%2Fflower%2Fworkers"
        assert path_of(flower.enter(browser, provider, "ada")) == "/flower/"
        assert browser.get("/workers").status_code == 200


def test_sign_ons_that_nobody_ends_do_not_fill_the_browser(flower, provider):
    with flower.browser() as browser:
        for _ in range(20):
            browser.get("/login")

        assert len([name for name in browser.cookies if name.startswith("sign-on-")]) <= 9
        assert path_of(flower.enter(browser, provider, "ada")) == "/"


def test_programs_and_parts_of_pages_are_told_401(flower):
    assert httpx2.get(f"{flower.url}/api/workers", follow_redirects=True).status_code == 401
    with flower.browser() as browser:
        for headers in (
            {"X-Requested-With": "XMLHttpRequest"},
            {"Sec-Fetch-Dest": "empty"},
            {"Sec-Fetch-Dest": "image"},
        ):
            away = browser.get("/workers?json=1", headers=headers)
            assert browser.get(path_of(away), headers=headers).status_code == 401
        assert not browser.cookies
    assert httpx2.post(f"{flower.url}/api/task/revoke/x").status_code == 403


def test_cookies_are_for_flower_alone_and_leave_no_trace(flower, provider):
    with flower.browser() as browser:
        back = flower.enter(browser, provider, "ada")

    cookie = SimpleCookie(next(value for value in back.headers.get_list("set-cookie") if value.startswith("user=")))
    assert (cookie["user"]["httponly"], cookie["user"]["samesite"], cookie["user"]["path"]) == (True, "Lax", "/")
    assert (back.headers["cache-control"], back.headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_over_tls_cookies_are_for_tls_alone(start_flower):
    flower = start_flower("--oauth2_redirect_uri=https://flower.example.com/login")

    with flower.browser() as browser:
        (cookie,) = browser.get("/login").headers.get_list("set-cookie")

    assert cookie.startswith("__Host-sign-on-")
    assert "Secure" in cookie


def test_a_sign_on_ends_whatever_the_browser_keeps(start_flower, provider):
    flower = start_flower(longest=12.0)
    with flower.browser() as browser:
        flower.enter(browser, provider, "ada")
        kept = {"Cookie": f"user={browser.cookies['user']}"}

    assert httpx2.get(f"{flower.url}/api/workers", headers=kept).status_code == 200
    harness.wait_until(
        lambda: httpx2.get(f"{flower.url}/api/workers", headers=kept).status_code == 302,
        20,
        "the sign-on has ended",
        every=0.2,
    )


def test_several_flowers_with_one_secret_take_each_others_sign_ons(start_flower, provider):
    one = start_flower("--cookie_secret=made-up")
    with one.browser() as browser:
        one.enter(browser, provider, "ada")
        kept = {"Cookie": f"user={browser.cookies['user']}"}
    other, stranger = start_flower("--cookie_secret=made-up"), start_flower("--cookie_secret=another")

    for flower, status in ((other, 200), (stranger, 302)):
        with flower.browser() as browser:
            begun = browser.get("/login", params={"state": "made-up"})
        assert begun.status_code == 403
        assert httpx2.get(f"{flower.url}/api/workers", headers=kept).status_code == status


@pytest.mark.parametrize("auth", ["", ".*@example.com"])
def test_a_flower_that_is_open_to_others_signs_nobody_on(start_flower, auth):
    flower = start_flower(auth=auth)

    with flower.browser() as browser:
        answer = browser.get("/login")

    assert (answer.status_code, "as it is set up now" in said(answer)) == (500, True)
    assert "Flower must be started with --auth='.*@celeriac'" in flower.log.read_text()


def test_while_the_provider_is_down_it_says_so(flower, provider):
    provider.config(outage=True)

    with flower.browser() as browser:
        answer = browser.get("/login")

    assert (answer.status_code, "Nobody can sign on to Flower now" in said(answer)) == (503, True)


def test_flower_answers_while_the_provider_is_slow(flower, provider):
    provider.config(delayMs=3000)

    with flower.browser() as browser, flower.browser() as other:
        thread = threading.Thread(target=lambda: browser.get("/login"))
        thread.start()
        harness.wait_until(lambda: len(provider.asked()) >= 1, 10, "the provider is being asked")
        quick = other.get("/healthcheck").elapsed.total_seconds()
        thread.join(20)

    assert quick < 1
