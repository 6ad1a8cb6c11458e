"""Settings: what makes no sense is refused in a sentence."""

from __future__ import annotations

import msgspec
import pytest

from citytwin_edge.kernels.anomaly.settings import AnomalySettings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"time_zone": "Asia/Verny"}, 'time_zone "Asia/Verny" is not known here'),
        ({"free_days": ["1 May"]}, 'free_days are written YYYY-MM-DD, not "1 May"'),
        ({"budget": 0.0}, ">= 0.05"),
        ({"every_s": 0.5}, ">= 1"),
        ({"holidays": "de"}, "Invalid enum value"),
        ({"buget": 1.0}, "unknown field"),
    ],
)
def test_what_is_refused(given, said):
    with pytest.raises(msgspec.ValidationError, match="(?s).*" + said.replace("(", r"\(")):
        msgspec.convert(given, AnomalySettings)


def test_a_budget_can_be_changed_without_learning_anew():
    first = AnomalySettings(budget=1.0)
    assert first.learns_by == AnomalySettings(budget=4.0, trace=True).learns_by
    assert first.learns_by != AnomalySettings(learn_from="2026-11-26").learns_by
