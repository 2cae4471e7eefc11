"""Codes into plain words: news, goods, places, prices."""

from __future__ import annotations

import re
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from agents import Game
from env import Explanation

KIND_NAMES = {
    "domestic": "domestic",
    "fob": "FOB",
    "delivered": "delivered",
    "contract": "contract",
    "ask": "European ask",
}
GROUP_NAMES = {
    "supply": "what sellers produce",
    "demand": "what buyers use",
    "stocks": "stocks and what buyers want in store",
    "policy": "duties, quotas and licences",
    "contracts": "deliveries under contract",
    "expectations": "price expectations",
}
#: what people call a market node; the scenario's own name where it has another
NODES = {
    "EUU": "Europe",
    "AFR": "Africa",
    "CIS": "Russia and Central Asia",
    "MEA": "Middle East",
    "SEA": "Southeast Asia",
    "MMR": "Myanmar",
    "ROW": "rest of the world",
    "USA": "United States",
}
SITE_WORK = {
    "mine": "mine",
    "separation_light": "separation plant",
    "separation_heavy": "heavy separation plant",
    "metal": "metal plant",
    "magnet": "magnet plant",
    "recycling": "recycling plant",
    "byproduct": "by-product plant",
}
PROJECT_STEPS = {
    "permit": "now needs its permit",
    "finance": "now looks for finance",
    "build": "is under construction",
    "commission": "is being commissioned",
    "ramp": "starts up",
    "operating": "is at work",
    "cancelled": "is given up",
}
GROUPS_OF_NEWS = {
    "project": "projects",
    "fid": "projects",
    "restart": "firms",
    "idle": "firms",
    "default": "firms",
    "hold": "firms",
    "terminate": "firms",
    "offtake": "firms",
    "stoppage": "firms",
}

BUYING = re.compile(r"^(\w+) buys ([\d.]+) t of (\w+) a week for its stockpile$")
TARIFF = re.compile(r"^(\w+): tariff ([\d.]+%) on (.+?) from (\w+) \((.*)\)$")
DIAL = re.compile(r"^(\w+): licence office at (\d+%) for (\w+) \((\w+)\)$")
LETTERS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")


class News(NamedTuple):
    """One line of the news: date, group (policy, projects, firms), sentence."""

    day: str
    group: str
    text: str


class Dictionary:
    """Names of one scenario."""

    def __init__(self, game: Game) -> None:
        spec = game.spec
        self.goods = {g.code: g.name or g.code for g in spec.goods}
        self.magnets = {g.code for g in spec.goods if g.stage == "magnet"}
        self.nodes = {n.code: NODES.get(n.code) or n.name.split(",")[0] or n.code for n in spec.nodes}
        for place in spec.places:
            self.nodes.setdefault(place.code, place.name or place.code)
        self.parties = {p.code: re.sub(r" \(.*\)$", "", p.name) or p.code for p in spec.parties} | {
            code.lower(): self.the(code) for code in self.nodes if any(p.code == code.lower() for p in spec.parties)
        }
        stages = {s.code: SITE_WORK.get(s.stage, "plant") for s in spec.sites}
        self.sites = {s.code: f"its {stages[s.code]} in {self.the(s.node)}" for s in spec.sites}

    # ---- names -------------------------------------------------------------------------------------------
    def place(self, code: str) -> str:
        """`EUU` -> Europe."""
        return self.nodes.get(code, code)

    def the(self, code: str) -> str:
        """The place inside a sentence: `the United States`."""
        name = self.place(code)
        return f"the {name}" if name in ("United States", "Middle East", "rest of the world") else name

    def good(self, code: str) -> str:
        """`dy_oxide` -> Dy oxide."""
        return self.goods.get(code, code)

    def priced(self, good: str, kind: str, place: str) -> str:
        """`Dy oxide, delivered to Europe`."""
        where = {
            "domestic": f"domestic, {self.place(place)}",
            "fob": f"FOB {self.place(place)}",
            "delivered": f"delivered to {self.the(place)}",
            "contract": f"contract, {self.place(place)}",
            "ask": "European ask",
        }
        return f"{self.good(good)}, {where.get(kind, kind)}"

    def project(self, code: str) -> str:
        """`P_MAG_EUU_VAC_X0` -> an expansion of its magnet plant in Europe; `P_PLN_...` by the site it will become."""
        body = code.removeprefix("P_")
        grown = re.fullmatch(r"(.+)_X\d+", body)
        site = grown[1] if grown else body
        if site not in self.sites:
            return "a project"
        return f"the expansion of {self.sites[site]}" if grown else f"the new {self.sites[site].removeprefix('its ')}"

    # ---- news --------------------------------------------------------------------------------------------
    def news(self, events: list[dict[str, Any]]) -> list[News]:
        """Sentences, newest first; the same rule for several places in one week is one sentence."""
        lines: list[News] = []
        for _, week in groupby(events, key=lambda e: e["date"]):
            lines += self._week(list(week))
        return lines[::-1]

    def _week(self, events: list[dict[str, Any]]) -> list[News]:
        lines: list[News] = []
        together: dict[tuple[str, ...], list[str]] = {}
        for event in events:
            text = event["text"]
            if found := TARIFF.match(text):
                who, rate, what, origin, why = found.groups()
                why = why.replace("(", "").replace(")", "")
                head = f"{capital(self.the(who))} puts a tariff of {rate} on {self._what(what)} from "
                together.setdefault((event["date"], "policy", head, f" ({why})."), []).append(self.the(origin))
            elif found := BUYING.match(text):
                who, tonnes, good = found.groups()
                key = (event["date"], "policy", f"{self.name(who)}: weekly purchases for its stockpile of ", ".")
                together.setdefault(key, []).append(f"{tonnes} t {self.good(good)}")
            elif found := DIAL.match(text):
                who, rate, where, use = found.groups()
                users = {"all": "users", "dual": "dual-use users"}.get(use, f"{use} users")
                head = f"{capital(self.name(who))} sets its licence office to {rate} for {users} "
                place = "generally" if where == "ALL" else f"in {self.the(where)}"
                together.setdefault((event["date"], "policy", head, "."), []).append(place)
            else:
                lines.append(News(event["date"], GROUPS_OF_NEWS.get(event["kind"], "policy"), self.sentence(event)))
        lines += [
            News(day, group, head + _and(list(dict.fromkeys(names))) + end)
            for (day, group, head, end), names in together.items()
        ]
        return list(dict.fromkeys(lines))

    def _what(self, what: str) -> str:
        return {"magnet": "magnets", "oxide": "oxides", "metal": "metals", "concentrate": "concentrates"}.get(
            what, self.good(what)
        )

    def name(self, code: str) -> str:
        """A party, by code."""
        return self.parties.get(code, code)

    def sentence(self, event: dict[str, Any]) -> str:
        """One event in plain words."""
        data, who = event.get("data") or {}, event["actors"][0] if event["actors"] else ""
        project = data.get("project")
        if project and event["kind"] in ("project", "fid"):
            name, plan = self.name(who), self.project(project)
            if event["kind"] == "fid":
                return f"{name}: investment decision for {plan}."
            if stage := data.get("stage"):
                return f"{name}: {plan} {PROJECT_STEPS.get(stage, stage)}."
            return f"{name}: {plan} is {'given up' if event['text'].endswith(' up') else 'planned'}."
        if event["kind"] == "default" and "fate" in data:
            fate = data["fate"].replace("the weak change hands", "its shares change hands")
            return f"{self.name(who)}: default on its debts; {fate}."
        text = LETTERS.sub(lambda m: self._word(m[0]), event["text"])
        text = re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.1f}", text)
        text = (
            text.replace(" releases", " sells").replace("for its stockpile", "from its stockpile")
            if event["kind"] == "stockpile_release"
            else text
        )
        return f"{capital(text)}{'' if text.endswith('.') else '.'}"

    def _word(self, word: str) -> str:
        if word in self.goods:
            return self.goods[word]
        if word in self.sites:
            return self.sites[word]
        if word.startswith("P_"):
            return self.project(word)
        if word in self.nodes and word.isupper():
            return self.the(word)
        if word in self.parties and (word.islower() or "_" in word) and ("_" in word or word not in ORDINARY):
            return self.parties[word]
        return word

    # ---- prices ------------------------------------------------------------------------------------------
    def move(self, told: Explanation, kind: str, day: date) -> str:
        """The largest move as a sentence."""
        verb = "rose" if told.after >= told.before else "fell"
        return (
            f"{self.priced(told.good, kind, told.place)}, {verb} {abs(told.change_pct):.0f}% "
            f"in the week of {long_day(day)}: cleared at {money(told.after)} after {money(told.before)} USD/kg"
        )

    def why(self, told: Explanation) -> str:
        """Its parts, largest first, in percentage points of the price before."""
        parts = sorted(((100.0 * v / told.before, k) for k, v in told.parts.items()), key=lambda x: -abs(x[0]))
        digits = 0 if abs(told.change_pct) >= 20 else 1
        shown = [(v, k) for v, k in parts if abs(v) >= 0.5 * 10**-digits]
        listed = [f"{GROUP_NAMES.get(k, k)} {f'{v:+.{digits}f}'.replace('-', '−')}" for v, k in shown]
        total = f"{told.change_pct:+.{digits}f}".replace("-", "−")
        return f"of {total} points: {', '.join(listed)}" if listed else "no group of causes moved it by itself"


#: party codes that are also English words
ORDINARY = frozenset(
    {"can", "ind", "mar", "row", "fin", "per", "est", "nor", "the", "are", "and", "ago", "mys", "tur", "tha", "bel"}
)


def capital(text: str) -> str:
    """First letter large, the rest untouched."""
    return f"{text[:1].upper()}{text[1:]}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def money(value: float) -> str:
    """USD to three figures or so: 3.42, 58.1, 912, 12,300."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def long_day(day: date) -> str:
    """`5 May 2025`."""
    return f"{day.day} {day:%B %Y}"
