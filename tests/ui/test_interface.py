from covidct.ui.interface import check_settings


def test_a_setting_that_nobody_can_use_is_told_in_the_log_without_its_value(caplog, monkeypatch):
    monkeypatch.delenv("COVIDCT_API_TOKEN", raising=False)
    monkeypatch.delenv("COVIDCT_METRICS_TOKEN", raising=False)
    check_settings({"api": {"token": "hunter2", "metrics_token": "hunter3"}})
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "stays closed" in caplog.text
    assert "hunter" not in caplog.text
    caplog.clear()
    for secrets in ({}, None, {"api": {"token": "t" * 43}}):
        check_settings(secrets)
    assert not caplog.records
