from ssd_cli.running.schedule import Queue
from tests.running.builders import make_planned


def names(cells):
    return [f"{cell.cell.dataset} {cell.cell.method}" for cell in cells]


def grid(costs):
    return [make_planned(dataset, method, cost=cost) for (dataset, method), cost in costs.items()]


def test_one_worker_takes_the_longest_group_first_and_stays_in_it():
    queue = Queue(grid({("A", "single"): 1, ("A", "ens-avg"): 5, ("B", "single"): 4, ("B", "ens-avg"): 20, ("C", "single"): 9}))
    order, group = [], None
    while queue:
        cell = queue.take(group)
        group = cell.group
        order.append(cell)
    assert names(order) == ["B ens-avg", "B single", "C single", "A ens-avg", "A single"]


def test_two_workers_do_not_wait_on_one_teacher_while_other_groups_are_untouched():
    queue = Queue(grid({("A", "single"): 3, ("A", "kd"): 6, ("B", "single"): 2, ("B", "kd"): 4}))
    first, second = queue.take(), queue.take()
    assert names([first, second]) == ["A kd", "B kd"]
    assert names([queue.take(second.group), queue.take(first.group)]) == ["B single", "A single"]
    assert not queue and len(queue) == 0


def test_a_worker_without_a_group_helps_with_the_longest_cell_that_is_left():
    queue = Queue(grid({("A", "single"): 3, ("A", "kd"): 6, ("B", "single"): 5, ("B", "kd"): 7}))
    queue.take()
    queue.take()
    assert names([queue.take("C lite 0 0")]) == ["B single"]


def test_a_cell_that_is_put_back_comes_next_in_its_group():
    queue = Queue(grid({("A", "single"): 3, ("A", "kd"): 6}))
    cell = queue.take()
    queue.put_back(cell)
    assert queue.take(cell.group) is cell
