"""The time of a search of settings, before it starts."""

from tamrl.costs import needs
from tamrl.costs.size import RunSize, training_cost
from tamrl.costs.work import NETWORK, TREE
from tamrl.search import draw_settings
from tamrl.sections.run import Config


def setting_hours(config: Config) -> dict[str, float]:
    """Return the hours on one processor that all trainings of each setting take, by the name of the setting."""
    hours = {}
    for setting in draw_settings(config):
        rule = NETWORK if training_cost(config, setting.name).kind == "network" else TREE
        seconds = needs.job_seconds(rule, RunSize.of(config, model=setting.name))
        hours[setting.name] = seconds * (len(config.search.folds) if config.search else 0) / 3600
    return hours


def format_search(config: Config) -> str:
    """Return the hours of the trainings of each model as a table in Markdown."""
    hours = setting_hours(config)
    rows = []
    for model in config.search.models if config.search else ():
        trained = [hours[setting.name] for setting in draw_settings(config) if setting.model == model]
        rows.append(f"| `{model}` | {len(trained)} | {max(trained):.2g} | {sum(trained):.2g} |")
    head = ["| model | settings | longest setting (h) | all settings (h) |", "|---|--:|--:|--:|"]
    total = f"`{config.run}`: about {sum(hours.values()):.2g} processor hours of training."
    return "\n".join([total, "", *head, *rows])
