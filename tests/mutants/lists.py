"""Bugs in what a list of pictures may name, and in whom its bad lines cost."""

from __future__ import annotations

from mutants.mutant import Mutant

LISTS = "tests/flows/planning/test_lists.py"
S3 = "tests/flows/storage/test_storage_s3.py"

MUTANTS = (
    Mutant(
        "lists-in-a-bucket-name-files-of-this-machine",
        "flows/planning/lists.py",
        'if is_remote(folder) and row.image.startswith("/"):',
        "if False:",
        (f"{LISTS}::test_a_list_in_a_bucket_names_objects_and_never_files_of_this_machine",),
    ),
    Mutant(
        "lists-lose-bad-lines",
        "flows/planning/inputs.py",
        "    result.refused += named.refused\n",
        "",
        (f"{LISTS}::test_a_bad_line_costs_its_own_pair_and_is_named_with_its_number",),
    ),
    Mutant(
        "lists-take-the-first-picture-for-the-name-of-a-column",
        "flows/planning/list_rows.py",
        'if not listed.column and (has_picture_suffix(wanted) or set(wanted) & set("/;\\t")):',
        "if False:",
        (f"{LISTS}::test_a_list_that_cannot_be_meant_is_a_mistake_of_the_manifest",),
    ),
    Mutant(
        "lists-lose-the-last-line-where-it-has-no-end",
        "flows/planning/list_rows.py",
        "    if rest:\n",
        "    if False:\n",
        (f"{LISTS}::test_every_form_of_list_names_pictures_in_its_order",),
    ),
    Mutant(
        "lists-take-a-quote-between-tabs-for-the-beginning-of-a-field",
        "flows/planning/list_rows.py",
        "map(_tabbed, lines) if tabs else",
        'csv.reader(lines, delimiter="\\t", strict=True) if tabs else',
        (f"{LISTS}::test_a_quote_is_a_letter_between_tabs_unless_it_stands_around_a_whole_field",),
    ),
    Mutant(
        "lists-lose-the-lines-behind-a-quote-that-is-not-closed",
        "flows/planning/list_rows.py",
        "where = lines.end_record(broken=bool(wrong))",
        "where = lines.end_record(broken=False)",
        (f"{LISTS}::test_a_quote_that_is_not_closed_costs_its_own_line_and_no_other",),
    ),
    Mutant(
        "lists-make-one-record-of-several-lines-unseen",
        "flows/planning/lists.py",
        "        if row.has_several_lines:\n",
        "        if False:\n",
        (f"{LISTS}::test_lines_that_quotes_make_one_record_are_told",),
    ),
    Mutant(
        "lists-wait-for-a-pipe",
        "flows/records/ownership.py",
        "os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC",
        "os.O_RDONLY | os.O_CLOEXEC",
        (f"{LISTS}::test_a_pipe_or_a_device_in_a_list_costs_its_own_pair_and_is_not_waited_for",),
    ),
    Mutant(
        "lists-with-an-unknown-bucket-cost-the-whole-night",
        "flows/planning/objects.py",
        "    except BucketUnusable as error:\n        return str(error)\n",
        "",
        (f"{LISTS}::test_a_line_with_a_bucket_that_nobody_has_costs_its_own_pair",),
    ),
    Mutant(
        "lists-mix-two-versions-of-an-object",
        "flows/storage/s3.py",
        "while found is not None and etag_of(found[0]) == etag_of(first[0]):",
        "while found is not None:",
        (f"{S3}::test_an_object_that_is_replaced_between_two_blocks_is_not_mixed",),
    ),
    Mutant(
        "lists-rename-a-picture-by-its-place-alone",
        "flows/planning/naming.py",
        "names.get((one.uri, one.name))",
        "{uri: name for (uri, _), name in names.items()}.get(one.uri)",
        (f"{LISTS}::test_pictures_that_would_share_a_name_are_told_apart",),
    ),
)
