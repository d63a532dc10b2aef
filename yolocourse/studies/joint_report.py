"""What data/results/joint.csv says: means of groups of classes over seeds, and the two claims of joint training."""

from collections.abc import Sequence

from yolocourse.studies.results import Row, Summary, select, summary

GROUPS = ("boxed", "never boxed", "scarce", "coarse")
ANSWERS = {"joint": ("own",), "detection": ("commonest child", "every child"), "oracle": ("own",)}
PERMITTED_LOSS = 0.02  # of AP50 on coarse classes


def group_means(rows: Sequence[Row], arm: str, answer: str, group: str) -> dict[int, float]:
    """Seed -> mean AP50 over the group's classes that have truths."""
    mine = select(rows, arm=arm, answer=answer, group=group)
    return {seed: summary(select(mine, seed=seed), "AP50").mean for seed in sorted({int(row["seed"]) for row in mine})}


def summarise(rows: Sequence[Row], arm: str, answer: str, group: str) -> Summary:
    """The mean AP50 of a group over the seeds."""
    return summary([{"AP50": value} for value in group_means(rows, arm, answer, group).values()], "AP50")


def table(rows: Sequence[Row]) -> str:
    """A line for each detector and way to answer: AP50 of each group, mean and spread over the seeds."""
    lines = [f"{'':28}" + "".join(f"{group:>17}" for group in GROUPS) + "   seeds"]
    for arm, answers in ANSWERS.items():
        for answer in answers:
            found = [summarise(rows, arm, answer if group != "coarse" else "own", group) for group in GROUPS]
            title = arm if answer == "own" else f"{arm}, {answer}"
            cells = "".join(f"{str(each) if each.count else '-':>17}" for each in found)
            lines.append(f"{title:28}{cells}{max(each.count for each in found):8d}")
    return "\n".join(lines)


def ranking(rows: Sequence[Row], arm: str = "joint", groups: Sequence[str] = GROUPS[:3]) -> list[tuple[str, float]]:
    """Fine classes and their AP50, mean over the seeds, best first: the paper's table 7."""
    mine = [row for group in groups for row in select(rows, arm=arm, answer="own", group=group)]
    names = dict.fromkeys(str(row["class"]) for row in mine)
    means = [(name, summary(select(mine, **{"class": name}), "AP50")) for name in names]
    return sorted([(name, each.mean) for name, each in means if each.count], key=lambda pair: -pair[1])


def finds_what_had_no_box(rows: Sequence[Row]) -> bool:
    """Whether the worst seed of joint training is above the best guess from coarse boxes, on never boxed classes."""
    joint = summarise(rows, "joint", "own", "never boxed")
    guesses = [summarise(rows, "detection", answer, "never boxed") for answer in ANSWERS["detection"]]
    return joint.low > max(guess.high for guess in guesses)


def keeps_coarse_classes(rows: Sequence[Row]) -> bool:
    """Whether joint training loses no more than two points of AP50 on the coarse classes, mean over the seeds."""
    joint, alone = (summarise(rows, arm, "own", "coarse").mean for arm in ("joint", "detection"))
    return alone - joint <= PERMITTED_LOSS
