"""One run of an export into a folder: what is to be asked for, the drafts of its files, and the manifest in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.export_files import manifest
from adapters.export_files.manifest import FORM, ExportedFile, ExportManifest, TableFiles, Unusable
from adapters.export_files.writing import FORMATS, HashedFile, RowFile, TableShape


class TableDraft:
    """The file of one table while it is written."""

    def __init__(self, path: Path, table: TableShape, format_: str) -> None:
        self.table = table
        self.rows = 0
        self.to = HashedFile(path)
        self.file: RowFile = FORMATS[format_](table, self.to)

    def add(self, rows: bytes, count: int) -> None:
        self.file.add(rows)
        self.rows += count


class ExportFolder:
    """A folder into which tables are exported."""

    def __init__(
        self, folder: Path, tenant: str, contract: int, format_: str, before: ExportManifest | None, as_of: bool
    ) -> None:
        self._as_of = as_of
        self._folder, self._tenant, self._contract, self._format = folder, tenant, contract, format_
        self._before = before
        self._new: dict[str, TableFiles] = {}
        self._drafts: dict[str, Path] = {}
        self._draft: TableDraft | None = None

    def begin(self, table: TableShape) -> None:
        drafts = self._folder / manifest.DRAFTS
        drafts.mkdir(exist_ok=True)
        self._draft = TableDraft(drafts / f"{table.name}.{self._format}", table, self._format)

    def add(self, rows: bytes, count: int) -> None:
        assert self._draft is not None, "a table was begun"
        self._draft.add(rows, count)

    def end(self, after: int, position: int, key: Sequence[str], always_whole: bool) -> ExportedFile | None:
        """The file of the table that was begun; None where nothing changed, so that there is none."""
        draft, self._draft = self._draft, None
        assert draft is not None, "a table was begun"
        draft.file.end()
        name, files = draft.table.name, list(self._files_of(draft.table.name) if after else ())
        has_news = position > after if always_whole else draft.rows > 0
        added = None
        if has_news or not files:
            added = self._added(draft, 0 if always_whole else after, position)
            self._drafts[added.file] = draft.to.path
            files = [*(each for each in files if each.file != added.file and not always_whole), added]
        self._new[name] = TableFiles(position, key, columns(draft.table), always_whole, files)
        return added

    def _added(self, draft: TableDraft, after: int, position: int) -> ExportedFile:
        path = manifest.file_of(draft.table.name, after, position, self._format)
        return ExportedFile(path, after, position, draft.rows, draft.to.bytes, draft.to.sha256)

    def _files_of(self, table: str) -> Sequence[ExportedFile]:
        before = self._before.tables.get(table) if self._before else None
        return before.files if before else ()

    def finish(self) -> ExportManifest:
        """What the folder holds now."""
        tables = {**(self._before.tables if self._before else {}), **self._new}
        least = min(each.position for each in tables.values())
        made = ExportManifest(
            manifest=FORM,
            tenant=self._tenant,
            contract=self._contract,
            format=self._format,
            position=least,
            tables=tables,
            as_of=self._as_of,
        )
        manifest.write(self._folder, made, self._drafts)
        return made

    def abandon(self) -> None:
        """Leaves what was there before."""
        if self._draft is not None:
            self._draft.to.abandon()
        manifest.clean(self._folder, self._before, [])


@contextmanager
def exporting(folder: ExportFolder) -> Iterator[ExportFolder]:
    try:
        yield folder
    except BaseException:
        folder.abandon()
        raise


def columns(table: TableShape) -> list[str]:
    """The columns of a table, as the manifest lists them."""
    return [f"{each.name} {each.type}{'' if each.nullable else ' always'}" for each in table.columns]


def goes_on_after(before: ExportManifest | None, tables: Mapping[str, TableShape], after: int | None) -> dict[str, int]:
    """After which position each table is to be asked for; raises Unusable where rows would be missing.

    A table that is new in the folder, or has got columns, is exported with all its rows.
    """
    found = {}
    for name, table in tables.items():
        was = before.tables.get(name) if before else None
        if was is None:
            found[name] = after or 0
        elif list(was.columns) != columns(table):
            found[name] = 0
        elif after is not None and after > was.position:
            raise Unusable(
                f"{name} goes up to position {was.position}, so that what changed until {after} would be missing; "
                "leave --after out"
            )
        else:
            found[name] = was.position if after is None else after
    return found
