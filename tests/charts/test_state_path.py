"""The path in three dimensions: every state stands in it, at the place the table says."""

import numpy as np
import plotly.graph_objects as go

from rnnviz.charts.state_path import state_path


def test_the_picture_holds_the_tables_numbers_and_every_step():
    scores = np.arange(12.0).reshape(4, 3) ** 2
    scene = state_path(scores, np.array([0.6, 0.3, 0.05]), "abc", "caption")
    path = scene.figure.data[0]
    assert isinstance(path, go.Scatter3d)
    for k, axis in enumerate("xyz"):
        np.testing.assert_array_equal(path[axis], scores[:, k])
        np.testing.assert_array_equal(scene.table[f"direction_{k + 1}"], scores[:, k])
    assert list(path.text) == ["step 0", "step 1 “a”", "step 2 “b”", "step 3 “c”"]
    assert "95.0 % of the variance" in scene.caption
    assert scene.figure.layout.scene.xaxis.title.text == "direction 1 (60 %)"


def test_a_series_has_no_letters():
    scene = state_path(np.zeros((3, 3)), np.zeros(3), (), "caption")
    assert list(scene.figure.data[0].text) == ["step 0", "step 1", "step 2"]
