"""The scheduler: which vertex needs to be looked at, looked up, or done, and when.

Demand runs from the results that are asked for down to the sources, and only as far as it must: the *key* of a
vertex needs the keys of its inputs, its *result* needs theirs only when no record is found under the key. So a
build whose last step is known does nothing else. One thread decides, without recursion, so that graphs of
thousands of steps are no deeper than any other; what may block is handed to workers and comes back as a
message. Equal vertices, whatever platform they serve, are one task.

A task that fails takes along the tasks that wait for it, and those alone. Whether the others go on is for the
caller to say.
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeAlias

from builder.graph import BindMount, CacheMount, Copy, Exec, File, Git, Http, Local
from builder.solver.results import Failed
from builder.system.errors import Cancelled, DockyardError
from builder.system.values import Value

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from builder.graph import Vertex
    from builder.oci.digest import Digest
    from builder.solver.results import Outcome, Result
    from builder.solver.workers import Workers

    Action: TypeAlias = Callable[["_Task"], None]


class Operators(Protocol):
    """What the scheduler lets others do. The first three answer at once; the others may block, on any thread."""

    def quick_key(self, vertex: Vertex, keys: Sequence[Digest | None], *, remembered: bool) -> Digest | None:
        """The key of `vertex` from those of its inputs; None when the content that it copies must be read.

        `remembered`: what earlier builds found under the same definition may be used.
        """
        ...

    def lookup(self, vertex: Vertex, key: Digest) -> Result | None:
        """The result that is remembered under `key`, if it can still be used; reports it as cached."""
        ...

    def seen(self, key: Digest) -> bool:
        """Whether a step of that key has been done before, even if its result is gone."""
        ...

    def content_key(self, vertex: Vertex, keys: Sequence[Digest | None], results: Sequence[Result]) -> Digest:
        """The key of a copy or a command, from what it selects in `results` (one for each of `content_inputs`)."""
        ...

    def execute(
        self, vertex: Vertex, key: Digest | None, results: Sequence[Result], *, fresh: bool
    ) -> Result:
        """Does the work, unless somebody else has done it meanwhile and `fresh` does not forbid to use that."""
        ...


def content_inputs(vertex: Vertex) -> tuple[int, ...]:
    """Positions of the inputs that count by what is read from them, not by where they come from."""
    operation = vertex.operation
    if isinstance(operation, File):
        copied = [each.input for each in operation.actions if isinstance(each, Copy)]
    elif isinstance(operation, Exec):
        copied = [each.input for each in operation.mounts if isinstance(each, BindMount | CacheMount)]
    else:
        return ()
    return tuple(dict.fromkeys(position for position in copied if position is not None))


class _Task:
    """What is known so far about one vertex."""

    __slots__ = (
        "dependents", "expected", "fresh", "key", "key_known", "key_wanted", "on_key", "on_result", "outcome",
        "started", "unsettled", "vertex",
    )  # fmt: skip

    def __init__(self, vertex: Vertex) -> None:
        self.vertex = vertex
        self.key: Digest | None = None
        self.key_known = False
        self.key_wanted = False
        self.fresh = False
        self.started = False
        self.unsettled = False
        self.expected = False
        self.dependents: list[_Task] = []
        self.outcome: Outcome | None = None
        self.on_key: list[_Join] = []
        self.on_result: list[_Join] = []


class _Join:
    """Does `action` for `task` after `count` arrivals."""

    __slots__ = ("action", "count", "task")

    def __init__(self, count: int, action: Action, task: _Task) -> None:
        self.count = count
        self.action = action
        self.task = task


class _Done(Value, frozen=True):
    """A worker's message about `task`: call `then` on the deciding thread, or `error` happened."""

    task: _Task
    then: Callable[[], None] | None = None
    error: BaseException | None = None


class Scheduler:
    """Solves vertices. One use: make it, call `solve`, drop it."""

    def __init__(
        self, operators: Operators, workers: Workers, cancelled: threading.Event, *, keep_going: bool = False
    ) -> None:
        """`keep_going`: after a failure, all that does not need what failed is done all the same."""
        self._operators = operators
        self._workers = workers
        self._cancelled = cancelled
        self._keep_going = keep_going
        self._tasks: dict[Digest, _Task] = {}
        self._agenda: deque[tuple[Action, _Task]] = deque()
        self._messages: SimpleQueue[_Done] = SimpleQueue()
        self._outstanding = 0

    def solve(self, roots: Iterable[Vertex]) -> Mapping[Digest, Outcome]:
        """The outcomes of `roots` by vertex digest; none of them is a failure unless this keeps going.

        Raises: what the first failing operator raised, after all that was running has stopped; Cancelled.
        """
        wanted = [self._task(root) for root in roots]
        for task in wanted:
            self._want_result(task)
        try:
            self._run()
        except BaseException:
            self._cancelled.set()
            self._outstanding -= self._workers.drop_waiting()
            self._workers.join()
            raise
        return {task.vertex.digest: task.outcome for task in wanted if task.outcome is not None}

    def known(self, vertex: Vertex) -> tuple[Digest | None, Result | None]:
        """The key of `vertex`, where solving needed to find it, and the result, where there is one."""
        task = self._tasks.get(vertex.digest)
        if task is None:
            return None, None
        self._look_up(task)
        return task.key, None if isinstance(task.outcome, Failed) else task.outcome

    def _run(self) -> None:
        while True:
            while self._agenda:
                action, task = self._agenda.popleft()
                try:
                    action(task)
                except (DockyardError, OSError) as error:
                    self._fail(task, error)
            if not self._outstanding:
                return
            message = self._messages.get()
            self._outstanding -= 1
            if message.error is not None:
                self._fail(message.task, message.error)
            if self._cancelled.is_set():
                raise Cancelled
            if message.then is not None:
                message.then()

    def _fail(self, task: _Task, error: BaseException) -> None:
        """`task` has failed, and with it what waits for its key or its result, and what waits for that.

        Raises: `error`, unless the others go on. Faults of dockyard end everything.
        """
        if (
            not self._keep_going
            or isinstance(error, Cancelled)
            or not isinstance(error, DockyardError | OSError)
        ):
            raise error
        failed = Failed(error)
        pending = [task]
        while pending:
            each = pending.pop()
            if each.outcome is None:
                each.outcome = failed
                pending += [join.task for join in (*each.on_key, *each.on_result)]
                each.on_key.clear()
                each.on_result.clear()

    def _task(self, vertex: Vertex) -> _Task:
        task = self._tasks.get(vertex.digest)
        if task is None:
            task = self._tasks[vertex.digest] = _Task(vertex)
        return task

    def _inputs(self, task: _Task) -> list[_Task]:
        return [self._task(each) for each in task.vertex.inputs]

    def _sources(self, task: _Task) -> list[_Task]:
        """The inputs that count by what is read from them."""
        return [self._task(task.vertex.inputs[position]) for position in content_inputs(task.vertex)]

    # Keys.

    def _want_key(self, task: _Task) -> None:
        if task.key_wanted:
            return
        task.key_wanted = True
        if isinstance(task.vertex.operation, Local | Http | Git):
            self._set_key(task, None)
            return
        inputs = self._inputs(task)
        for each in inputs:
            each.dependents.append(task)
            self._agenda.append((self._want_key, each))
        if any(each.unsettled and not each.key_known for each in inputs):
            self._unsettle(task)
        unknown = [each for each in inputs if not each.key_known]
        self._after(unknown, [each.on_key for each in unknown], self._find_key, task)

    def _find_key(self, task: _Task) -> None:
        inputs = self._inputs(task)
        copied = content_inputs(task.vertex)
        task.fresh = task.vertex.description.ignore_cache or any(
            each.fresh for position, each in enumerate(inputs) if position not in copied
        )
        keys = [each.key for each in inputs]
        remembered = not any(inputs[position].fresh for position in copied)
        key = self._operators.quick_key(task.vertex, keys, remembered=remembered)
        if key is not None:
            self._set_key(task, key)
            return
        sources = self._sources(task)
        if not all(isinstance(each.vertex.operation, Local) for each in sources):
            for each in task.dependents:
                self._unsettle(each)
        self._after_results(sources, self._find_content_key, task)

    def _unsettle(self, task: _Task) -> None:
        """The key of `task` waits for content that differs from what was known, and so will those on top of it.

        What they copy from is then needed, but for rare luck, so it is not left for later: steps that need
        nothing of each other run side by side. A result that was there once and is gone is left for later all
        the same: what stands on it may well be there.
        """
        pending = [task]
        while pending:
            each = pending.pop()
            if each.unsettled or each.key_known:
                continue
            each.unsettled = True
            for source in self._sources(each):
                self._expect(source)
            pending += each.dependents

    def _expect(self, task: _Task) -> None:
        task.expected = True
        if task.key_known:
            self._agenda.append((self._want_expected, task))

    def _want_expected(self, task: _Task) -> None:
        if task.key is None or task.fresh or not self._operators.seen(task.key):
            self._want_result(task)

    def _find_content_key(self, task: _Task) -> None:
        keys = [each.key for each in self._inputs(task)]
        results = _results(self._sources(task))

        def work() -> Callable[[], None]:
            key = self._operators.content_key(task.vertex, keys, results)
            return lambda: self._set_key(task, key)

        self._submit(task, work)

    def _set_key(self, task: _Task, key: Digest | None) -> None:
        task.key, task.key_known = key, True
        self._arrive(task.on_key)
        if task.started:
            self._find_result(task)
        elif task.expected:
            self._want_expected(task)

    # Results.

    def _want_result(self, task: _Task) -> None:
        if task.started or task.outcome is not None:
            return
        task.started = True
        if task.key_known:
            self._find_result(task)
        else:
            self._want_key(task)

    def _find_result(self, task: _Task) -> None:
        """What is remembered under the key, or else what must be done; nobody looks for what nobody wants."""
        self._look_up(task)
        if task.outcome is None:
            self._after_results(self._inputs(task), self._execute, task)

    def _look_up(self, task: _Task) -> None:
        if task.key is not None and not task.fresh and task.outcome is None:
            found = self._operators.lookup(task.vertex, task.key)
            if found is not None:
                self._set_result(task, found)

    def _execute(self, task: _Task) -> None:
        results = _results(self._inputs(task))

        def work() -> Callable[[], None]:
            result = self._operators.execute(task.vertex, task.key, results, fresh=task.fresh)
            return lambda: self._set_result(task, result)

        self._submit(task, work)

    def _set_result(self, task: _Task, result: Result) -> None:
        task.outcome = result
        self._arrive(task.on_result)

    # Waiting.

    def _after_results(self, inputs: Sequence[_Task], action: Action, task: _Task) -> None:
        missing = [each for each in inputs if each.outcome is None or isinstance(each.outcome, Failed)]
        for each in missing:
            self._agenda.append((self._want_result, each))
        self._after(missing, [each.on_result for each in missing], action, task)

    def _after(
        self, inputs: Sequence[_Task], waiting_lists: Sequence[list[_Join]], action: Action, task: _Task
    ) -> None:
        """Does `action` for `task` when each of `inputs` has arrived at its list of those who wait for it."""
        if not inputs:
            self._agenda.append((action, task))
            return
        for each in inputs:
            if isinstance(each.outcome, Failed):
                self._fail(task, each.outcome.error)
                return
        join = _Join(len(inputs), action, task)
        for waiting in waiting_lists:
            waiting.append(join)

    def _arrive(self, waiting: list[_Join]) -> None:
        for join in waiting:
            join.count -= 1
            if join.count == 0:
                self._agenda.append((join.action, join.task))
        waiting.clear()

    def _submit(self, task: _Task, work: Callable[[], Callable[[], None]]) -> None:
        def attempt() -> None:
            try:
                message = _Done(task, then=work())
            except BaseException as error:  # noqa: BLE001 - raised again on the deciding thread
                message = _Done(task, error=error)
            self._messages.put(message)

        self._outstanding += 1
        self._workers.submit(attempt)


def _results(tasks: Iterable[_Task]) -> list[Result]:
    return [
        each.outcome for each in tasks if each.outcome is not None and not isinstance(each.outcome, Failed)
    ]
