"""What is kept of many datapoints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs.columns import Column, Grid, Samples, last_only, merge, sort_in

GRIDS = st.builds(
    lambda start, length, count: Grid(start, start + length, count),
    st.integers(0, 4 * 10**15),
    st.integers(0, 10**14) | st.integers(0, 50),
    st.integers(1, 2000),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def points_of(grid: Grid) -> st.SearchStrategy[list[tuple[int, float]]]:
    """Return lists of datapoints in a grid's range, of different times."""
    return st.lists(
        st.tuples(st.integers(grid.start, grid.end), NUMBERS), unique_by=lambda point: point[0], max_size=40
    )


@given(GRIDS, st.data())
def test_every_moment_is_in_one_column(grid: Grid, data: st.DataObject) -> None:
    """Each moment of the range is in the column between whose edges it lies."""
    at = data.draw(st.integers(grid.start, grid.end))
    column = grid.column_of(at)
    assert 0 <= column < grid.count
    assert grid.begin_of(column) <= at < grid.begin_of(column + 1)
    assert (grid.begin_of(0), grid.begin_of(grid.count)) == (grid.start, grid.end + 1)


@given(GRIDS, st.data())
def test_a_column_keeps_what_a_line_needs(grid: Grid, data: st.DataObject) -> None:
    """Of the datapoints in a column the first, the last, the lowest and the highest stay, in any order."""
    points = data.draw(points_of(grid))
    columns = sort_in(points, grid)
    assert set(columns) == {grid.column_of(at) for at, _ in points}
    for number, column in columns.items():
        inside = sorted(point for point in points if grid.column_of(point[0]) == number)
        values = [value for _, value in inside]
        assert column == Column(*inside[0], min(values), max(values), *inside[-1])


@given(GRIDS, st.data())
def test_sets_of_datapoints_can_be_merged(grid: Grid, data: st.DataObject) -> None:
    """Columns of two parts of the datapoints make the columns of all."""
    points = data.draw(points_of(grid))
    cut = data.draw(st.integers(0, len(points)))
    assert merge(sort_in(points[:cut], grid), sort_in(points[cut:], grid)) == sort_in(points, grid)


def test_a_spike_is_never_lost() -> None:
    """One datapoint among a hundred thousand is still there in a picture of ten pixels."""
    grid = Grid(0, 99_999, 10)
    columns = sort_in(((at, 1e9 if at == 33_333 else 1.0) for at in range(100_000)), grid)
    assert [column.high for column in columns.values()] == [1.0] * 3 + [1e9] + [1.0] * 6


def test_the_coarse_view_has_one_number_a_column() -> None:
    """Who may not see the history finer gets the last number of each column."""
    grid = Grid(0, 99, 2)
    columns = sort_in([(0, 5.0), (10, 1.0), (20, 9.0), (60, 4.0)], grid)
    assert last_only(Samples((columns[0], columns[1]), 3.0)) == Samples(
        (Column(20, 9.0, 9.0, 9.0, 20, 9.0), Column(60, 4.0, 4.0, 4.0, 60, 4.0)), 3.0
    )
