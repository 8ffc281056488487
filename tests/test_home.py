from covidct.home import CALLER, data_dir, home, models_dir, runs_dir


def test_everything_is_kept_below_the_folder_that_the_environment_names(own_home):
    assert home() == own_home
    assert {data_dir().parent, runs_dir().parent, models_dir().parent} == {own_home}
    assert not own_home.exists()


def test_it_lies_in_the_repository_where_none_is_named(monkeypatch):
    monkeypatch.delenv("COVIDCT_HOME")
    assert home() == CALLER / ".covidct"
