"""What every exercise check does: call the student's function, and say in one sentence what came of it."""

from collections.abc import Callable, Sequence

import numpy as np


def _joined(case: tuple) -> str:
    return " and ".join(str(part) for part in case)


def call_all(name: str, function: Callable, cases: Sequence[tuple], start: str) -> tuple[list, str | None]:
    """The function's answers, or a sentence on why there are none."""
    answers = []
    for case in cases:
        try:
            answers.append(function(*case))
        except Exception as error:  # whatever a student's code can raise
            return [], f"{name}: your function stopped with {type(error).__name__}: {error}"
    if all(answer is None for answer in answers):
        return [], f"{name}: nothing returned yet. {start}"
    if any(answer is None for answer in answers):
        return [], f"{name}: sometimes nothing is returned. Does every branch end in a return?"
    return answers, None


def verdict(name: str, answers: Sequence, wanted: Sequence[float], cases: Sequence[tuple],
             mistakes: dict[str, Callable], tolerance: float = 1e-4, describe: Callable = _joined) -> None:  # fmt: skip
    """Prints whether the answers are right, else which mistake explains all of them, else the first wrong one.

    describe: a case as words, for that last sentence.
    """
    try:
        values = np.array([float(answer) for answer in answers])
    except (TypeError, ValueError, RuntimeError):
        return print(f"{name}: it should return one number, not {type(answers[0]).__name__}.")
    if np.allclose(values, wanted, atol=tolerance):
        return print(f"{name}: right.")
    for sentence, wrong in mistakes.items():
        if np.allclose(values, [wrong(*case) for case in cases], atol=tolerance):
            return print(f"{name}: not yet. {sentence}")
    first = next(i for i, value in enumerate(values) if not np.isclose(value, wanted[i], atol=tolerance))
    print(
        f"{name}: not yet. For {describe(cases[first])} it gives {values[first]:.3g}; it should be {wanted[first]:.3g}."
    )
