"""Which session variables are tried, and what is learned by that."""

from rwrouter.cluster.trial import NOISE, USUAL_VARIABLES, Trial


def test_trial_of_variables() -> None:
    """What can be set, or could with more rights, is kept; noise is never tried."""
    trial = Trial()
    rows = [
        {"Variable_name": name}
        for name in ("sql_mode", "timestamp", "session_track_gtids", "pseudo_thread_id", "PORT", "a.b")
    ]
    assert trial.candidates(rows) == ("sql_mode", "port")
    for name, code in (
        ("sql_mode", 0),
        ("port", 1238),
        ("binlog_format", 1227),
        ("read_only", 1229),
        ("x", 1621),
    ):
        trial.tell(name, code)
    assert trial.settable == ["sql_mode", "binlog_format"]
    assert trial.sql("sql_mode") == "SET SESSION `sql_mode` = @@SESSION.`sql_mode`"


def test_what_is_tracked_before_a_trial_would_be_tried() -> None:
    """None of the usual variables is noise."""
    rows = [{"Variable_name": name} for name in USUAL_VARIABLES]
    assert Trial.candidates(rows) == USUAL_VARIABLES
    assert not NOISE & set(USUAL_VARIABLES)
