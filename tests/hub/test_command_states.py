"""Words for states."""

from citytwin_hub.command_states import STATUS, code_of
from citytwin_hub.commands import FINAL

ENDS = {"COMPLETED", "FAILED", "REJECTED", "CANCELED"}


def test_a_final_state_is_final_in_the_standard_too():
    assert {state for state in STATUS if code_of(state) in ENDS} == FINAL
