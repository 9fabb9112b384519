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
