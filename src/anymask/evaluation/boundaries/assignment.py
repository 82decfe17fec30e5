"""One-to-one assignment of the pixels of many edge maps, one after the other, to the pixels of one true map.

The cheapest assignment is kept as a state: pixels of the predicted map come and go one at a time, and each time one
shortest augmenting path mends it (the Hungarian method with potentials). Maps at neighbouring thresholds differ in
few pixels, so a hundred of them cost little more than one.

Compiled by numba, which is loaded with this module; positions are flat indices into maps padded by the search radius.
Costs are whole numbers, so the result is exact. A predicted pixel may always stay alone, for `alone` (much more than
any distance): as many pixels as possible are matched, and of all ways to do so the one of least total distance is
taken.

Source: Kuhn 1955, and Jonker and Volgenant 1987, for the method; costs as in the Berkeley benchmark (`match.cc`: 100
times the distance, rounded, and 100 times the search radius for an outlier), which solves the same problem anew for
each map, with a random choice of outlier connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
Integers = npt.NDArray[np.int64]

_OUTSIDE, _ALONE = -2, -1
"""In place of a partner: the pixel is not in the predicted map; it is, and has none."""


def _compiled(function: Function) -> Function:
    """The same function as machine code, kept on disk for the next process where there is a place for it."""
    try:
        return cast(Function, njit(cache=True)(function))
    except RuntimeError:  # neither beside this file nor in the user's cache folder: compile in every process
        return cast(Function, njit(function))


class State(NamedTuple):
    """An assignment and what is needed to change it; arrays have one entry a pixel of the padded map, N in all."""

    first: Integers
    """(N + 1,) where each pixel's near true pixels begin in `near`."""
    near: npt.NDArray[np.int32]
    """True pixels within the radius."""
    near_cost: Integers
    """What it costs to match each of them."""
    steps: Integers
    """Every step from a pixel to one within the radius."""
    step_cost: Integers
    """The cost of each."""
    truth_of: npt.NDArray[np.int32]
    """The true pixel that a predicted one is matched with, or one of the two marks."""
    predicted_of: npt.NDArray[np.int32]
    """The predicted pixel that a true one is matched with, or -1."""
    predicted_price: Integers
    """Potentials of predicted pixels."""
    true_price: Integers
    """Potentials of true pixels; 0 where unmatched, never above."""
    distance: Integers
    """Of the search under way: how far a true pixel is."""
    seen: Integers
    """The number of the search that set `distance`."""
    before: npt.NDArray[np.int32]
    """Where that search came from."""
    heap_key: Integers
    heap_pixel: npt.NDArray[np.int32]
    done: npt.NDArray[np.int32]
    """True pixels that the search under way has left behind."""


def new_state(truth: npt.NDArray[np.bool_], steps: Integers, step_cost: Integers) -> State:
    """Nothing predicted yet: `truth` (N,) is the padded true map, `steps` and `step_cost` (K,) the search window."""
    size = truth.size
    first, near, near_cost = _list_near(truth, steps, step_cost)
    heap_size = near.size + size
    return State(
        first=first,
        near=near,
        near_cost=near_cost,
        steps=steps,
        step_cost=step_cost,
        truth_of=np.full(size, _OUTSIDE, np.int32),
        predicted_of=np.full(size, -1, np.int32),
        predicted_price=np.zeros(size, np.int64),
        true_price=np.zeros(size, np.int64),
        distance=np.zeros(size, np.int64),
        seen=np.zeros(size, np.int64),
        before=np.zeros(size, np.int32),
        heap_key=np.empty(heap_size, np.int64),
        heap_pixel=np.empty(heap_size, np.int32),
        done=np.empty(size + 1, np.int32),
    )


@_compiled
def change(state: State, search: int, leaving: Integers, coming: Integers, alone: int) -> int:
    """Take pixels out of the predicted map and put others in, the assignment staying the best one.

    `search` is the number of searches made before; gives the new number. Pixels with no true one near do not enter.
    """
    for pixel in leaving:
        if state.truth_of[pixel] != _OUTSIDE:
            search += 1
            _remove(state, search, pixel)
    for pixel in coming:
        if state.first[pixel] < state.first[pixel + 1]:
            search += 1
            _insert(state, search, pixel, alone)
    return search


@_compiled
def _list_near(
    truth: npt.NDArray[np.bool_], steps: Integers, step_cost: Integers
) -> tuple[Integers, npt.NDArray[np.int32], Integers]:
    """For every pixel its near true pixels, nearest first when `step_cost` rises."""
    pixels = np.flatnonzero(truth)
    first = np.zeros(truth.size + 1, np.int64)
    for pixel in pixels:
        for step in steps:
            first[pixel - step + 1] += 1
    first = np.cumsum(first)
    place = first[:-1].copy()
    near = np.empty(first[-1], np.int32)
    cost = np.empty(first[-1], np.int64)
    for k in range(steps.size):
        for pixel in pixels:
            at = pixel - steps[k]
            near[place[at]] = pixel
            cost[place[at]] = step_cost[k]
            place[at] += 1
    return first, near, cost


@_compiled
def _push(state: State, size: int, key: int, pixel: int) -> int:
    """Put an entry into the heap of `size` entries; gives the new size."""
    keys, pixels, at = state.heap_key, state.heap_pixel, size
    while at > 0 and keys[(at - 1) >> 1] > key:
        parent = (at - 1) >> 1
        keys[at], pixels[at], at = keys[parent], pixels[parent], parent
    keys[at], pixels[at] = key, pixel
    return size + 1


@_compiled
def _drop_first(state: State, size: int) -> int:
    """Take the smallest entry out of the heap; gives the new size."""
    keys, pixels, size, at = state.heap_key, state.heap_pixel, size - 1, 0
    key, pixel = keys[size], pixels[size]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], pixels[at], at = keys[child], pixels[child], child
    keys[at], pixels[at] = key, pixel
    return size


@_compiled
def _next(state: State, size: int, limit: int) -> tuple[int, int]:
    """The nearest true pixel not yet left behind and nearer than `limit`, or -1; and the heap's new size."""
    while size > 0:
        key, pixel = state.heap_key[0], state.heap_pixel[0]
        if key >= limit:
            return -1, 0
        size = _drop_first(state, size)
        if key == state.distance[pixel]:  # else an entry that a shorter way has made void
            return pixel, size
    return -1, 0


@_compiled
def _insert(state: State, search: int, start: int, alone: int) -> None:
    """Put one pixel in: along the cheapest chain of changed partners that ends at a free true pixel, or at a predicted
    one (maybe itself) that is left alone."""
    truth_of, predicted_of = state.truth_of, state.predicted_of
    row_price, price, distance = state.predicted_price, state.true_price, state.distance
    lowest = alone
    for k in range(state.first[start], state.first[start + 1]):
        lowest = min(lowest, state.near_cost[k] - price[state.near[k]])
    row_price[start] = lowest
    best, free_end, alone_end = alone - lowest, -1, start
    row, way, size, done = start, 0, 0, 0
    while True:
        for k in range(state.first[row], state.first[row + 1]):
            pixel = state.near[k]
            reach = way + state.near_cost[k] - row_price[row] - price[pixel]
            if reach < best and (state.seen[pixel] != search or reach < distance[pixel]):
                state.seen[pixel], distance[pixel], state.before[pixel] = search, reach, row
                if predicted_of[pixel] < 0:
                    best, free_end = reach, pixel
                else:
                    size = _push(state, size, reach, pixel)
        at, size = _next(state, size, best)
        if at < 0:
            break
        state.done[done] = at
        done += 1
        row, way = predicted_of[at], distance[at]
        if way + alone - row_price[row] < best:
            best, free_end, alone_end = way + alone - row_price[row], -1, row
    for k in range(done):
        pixel = state.done[k]
        price[pixel] -= best - distance[pixel]
        row_price[predicted_of[pixel]] += best - distance[pixel]
    row_price[start] += best
    pixel = free_end
    if free_end < 0:
        pixel = truth_of[alone_end]
        truth_of[alone_end] = _ALONE
        if alone_end == start:
            return
    while True:
        row = state.before[pixel]
        given_up = truth_of[row]
        truth_of[row], predicted_of[pixel] = pixel, row
        if row == start:
            return
        pixel = given_up


@_compiled
def _remove(state: State, search: int, gone: int) -> None:
    """Take one pixel out: its true pixel goes to another along the cheapest chain that ends at a predicted pixel that
    was alone, or at a true one that is left free."""
    truth_of, predicted_of = state.truth_of, state.predicted_of
    row_price, price, distance = state.predicted_price, state.true_price, state.distance
    start = truth_of[gone]
    truth_of[gone] = _OUTSIDE
    if start < 0:
        return
    predicted_of[start] = -1
    if price[start] == 0:
        return
    best, free_end, alone_end = -price[start], start, -1
    state.seen[start], distance[start] = search, 0
    pixel, size, done = start, 0, 0
    while pixel >= 0:
        state.done[done] = pixel
        done += 1
        for k in range(state.steps.size):
            row = pixel + state.steps[k]
            if truth_of[row] == _OUTSIDE:
                continue
            reach = distance[pixel] + state.step_cost[k] - row_price[row] - price[pixel]
            if reach >= best:
                continue
            other = truth_of[row]
            if other < 0:
                best, free_end, alone_end = reach, pixel, row
            elif state.seen[other] != search or reach < distance[other]:
                state.seen[other], distance[other], state.before[other] = search, reach, pixel
                if reach - price[other] < best:
                    best, free_end, alone_end = reach - price[other], other, -1
                size = _push(state, size, reach, other)
        pixel, size = _next(state, size, best)
    for k in range(done):
        pixel = state.done[k]
        price[pixel] += best - distance[pixel]
        if pixel != start:
            row_price[predicted_of[pixel]] -= best - distance[pixel]
    row, pixel = alone_end, free_end
    if alone_end < 0:
        if free_end == start:
            return
        row = predicted_of[free_end]
        predicted_of[free_end] = -1
        pixel = state.before[free_end]
    while True:
        given_up = predicted_of[pixel]
        predicted_of[pixel], truth_of[row] = row, pixel
        if pixel == start:
            return
        row, pixel = given_up, state.before[pixel]
