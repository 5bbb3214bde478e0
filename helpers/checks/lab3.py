"""The exercises of lab 3: least privilege, a question to the model, what it is worth, and whether a lead is chance."""

import math
from collections.abc import Sequence

from helpers.checks.exercise import call, exercise, number, wrong
from helpers.checks.exercise import summary as show_summary
from helpers.fulfillment import FEATURES

SAME = 1e-3  # answers may be rounded


@exercise(
    "lab3.rights",
    "Give the function just the rights it needs",
    hints=[
        "The function does one thing with SageMaker: it invokes the endpoint.",
        'An action is written `service:Operation`, such as "s3:GetObject". A star would allow far too much.',
    ],
    solution='actions = ["sagemaker:InvokeEndpoint"]',
)
def rights(actions: object) -> str:
    given = [actions] if isinstance(actions, str) else actions
    if not isinstance(given, Sequence) or not all(isinstance(action, str) for action in given):
        wrong("actions", actions, "a list of actions is needed, each a text.")
    for action in given:
        if "*" in action:
            wrong("actions", actions, f"{action!r} allows more than this function does.")
        if action.lower() != "sagemaker:invokeendpoint":
            wrong("actions", actions, f"the function has no use for {action!r}.")
    if not given:
        wrong("actions", actions, "without any action the function may not ask the endpoint.")
    return "One action on one endpoint: whoever takes the function over can do no more than ask for predictions."


@exercise(
    "lab3.question",
    "Ask the model what a higher bin costs",
    hints=[
        "`features` is a list in the order of FEATURES: find the place of `bin_location` and change that cell only.",
        'For example `raised[FEATURES.index("bin_location")] = 1850`, then `ask(raised)`.',
    ],
    solution="""
    raised = list(features)
    raised[FEATURES.index("bin_location")] = 1850
    slower_ms = ask(raised) - ask(features)
    """,
)
def question(features: Sequence[float], raised: object, slower_ms: object, ask: object) -> str:
    if not isinstance(raised, (list, tuple)):
        wrong("raised", raised, "a list is needed here, a copy of `features`.")
    before, after = list(features), list(raised)
    if len(after) != len(FEATURES):
        wrong("raised", raised, f"the model needs {len(FEATURES)} features.")
    for name, value in zip(FEATURES, after, strict=True):
        number(f"raised[{FEATURES.index(name)}]", value, f"`{name}` is a number.")
    changed = [name for name, old, new in zip(FEATURES, before, after, strict=True) if old != new]
    if changed != ["bin_location"]:
        wrong("raised", raised, f"only `bin_location` should differ; what differs: {', '.join(changed) or 'nothing'}.")
    if float(after[FEATURES.index("bin_location")]) <= float(before[FEATURES.index("bin_location")]):
        wrong("raised", raised, "the bin should be higher than before.")
    given = number("slower_ms", slower_ms, "the difference of two predictions in ms is needed here.")
    longer = float(call("ask", ask, raised)) - float(call("ask", ask, features))
    if math.isclose(given, -longer, rel_tol=SAME) and abs(longer) > 1:
        wrong("slower_ms", slower_ms, "the sign is the other way round: positive means that the higher bin is slower.")
    if not math.isclose(given, longer, rel_tol=SAME, abs_tol=0.5):
        wrong("slower_ms", slower_ms, "it is not the prediction for `raised` less the one for `features`.")
    return "A model that answers can be questioned: this is the price of reaching up, as the samples taught it."


@exercise(
    "lab3.worth",
    "Say what the model is worth",
    hints=[
        "Compare the two RMSE: how much smaller is the model's than that of the FC's average?",
        "In percent: `100 * (1 - rmse_model / rmse_fc_average)`.",
    ],
    solution="better_percent = 100 * (1 - rmse_model / rmse_fc_average)",
)
def worth(better_percent: object, rmse_model: object, rmse_fc_average: object) -> str:
    given = number("better_percent", better_percent, "a number is needed here.")
    expected = 100 * (1 - float(rmse_model) / float(rmse_fc_average))  # type: ignore[arg-type]
    if abs(given - expected / 100) < 0.001 and abs(expected) > 0.2:
        wrong("better_percent", better_percent, "this is a share; in percent it is a hundred times as much.")
    if abs(given + expected) < 0.05 and abs(expected) > 0.1:
        wrong("better_percent", better_percent, "the sign is the other way round: positive means better.")
    if abs(given - expected) > 0.05:
        wrong("better_percent", better_percent, "compare the model's RMSE with that of the FC's average.")
    return "The rest of the error is mostly chance that no feature knows of."


@exercise(
    "lab3.chance",
    "Say whether a lead is more than chance",
    hints=[
        "The standard error of a mean is the standard deviation, divided by the root of how many values there are.",
        "How often does this standard error go into the mean of `ahead`?",
    ],
    solution="standard_errors = ahead.mean() / (ahead.std() / len(ahead) ** 0.5)",
)
def chance(ahead: object, standard_errors: object) -> str:
    given = number("standard_errors", standard_errors, "a number is needed here.")
    mean, deviation, count = float(ahead.mean()), float(ahead.std()), len(ahead)  # type: ignore[attr-defined,arg-type]
    expected = mean / (deviation / count**0.5)
    if math.isclose(given, mean / deviation, rel_tol=0.01):
        wrong("standard_errors", standard_errors, "this is in standard deviations of one interaction, not of the mean.")
    if math.isclose(given, -expected, rel_tol=0.01):
        wrong("standard_errors", standard_errors, "the sign is the other way round: positive means you are ahead.")
    if not math.isclose(given, expected, rel_tol=0.01):
        wrong("standard_errors", standard_errors, "divide the mean of `ahead` by its standard error.")
    return "Below 2, a difference is easily chance: the same two models might well change places in another round."


EXERCISES = (rights, question, worth, chance)


def summary() -> None:
    """Shows which exercises of this lab are done."""
    show_summary("Lab 3", EXERCISES)
