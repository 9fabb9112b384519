"""Bugs in how pictures are read, and in what of them counts."""

from __future__ import annotations

from mutants.mutant import Mutant

IMAGE = "tests/core/image/test_image.py"
COLOUR = "tests/core/image/test_image_colour.py"
DEPTH = "tests/core/image/test_image_depth.py"
BATCH = "tests/flows/worker/test_worker_batch.py"
SIZED = "tests/flows/worker/test_pair_sizes.py"
LARGE = "tests/core/image/test_image_large.py"
POLICY = "tests/core/image/test_image_policy.py"
SIZES = "tests/core/test_sizes.py"
HATCH = "tests/core/test_crosshatch.py"
MIXTURES = f"{IMAGE}::test_palettes_and_greys_with_alpha_are_flattened"

MUTANTS = (
    Mutant(
        "pictures-tiles-that-see-too-little",
        "stylize_core/architecture.py",
        "    return given * max(before, after - stride(layer) // given + 1)",
        "    return given * max(before, after - stride(layer) // given + 1) // 2",
        ("tests/core/loss/test_tiles.py::test_loss_and_gradient_in_tiles_are_those_of_the_whole_picture",),
    ),
    Mutant(
        "pictures-what-tiles-ask-of-a-rim-overwritten-by-the-next-tile",
        "stylize_core/networks/tiled_pass.py",
        "            tile.seen(gradient, section.given_stride).add_(seen)",
        "            tile.seen(gradient, section.given_stride).copy_(seen)",
        ("tests/core/loss/test_tiles.py::test_loss_and_gradient_in_tiles_are_those_of_the_whole_picture",),
    ),
    Mutant(
        "pictures-a-tile-that-speaks-for-its-rim-as-well",
        "stylize_core/networks/tiled_pass.py",
        "            part = tile.with_rim(tile.among_all(handed, name), trace.handed_on, name)",
        "            part = tile.seen(handed, 2 * section.given_stride).clone()",
        ("tests/core/loss/test_tiles.py::test_loss_and_gradient_in_tiles_are_those_of_the_whole_picture",),
    ),
    Mutant(
        "pictures-a-thin-picture-refused-that-its-reflection-would-do-for",
        "stylize_core/settings/resolved.py",
        "    return lacking if lacking < shorter else 0",
        "    return 0",
        (SIZED,),
    ),
    Mutant(
        "pictures-bf16-where-it-is-the-slower-format",
        "stylize_core/device.py",
        '(capabilities.get("avx512_bf16") and not intel)',
        'capabilities.get("avx512_bf16")',
        (
            "tests/core/test_precision.py::test_auto_is_fp32_where_bf16_is_not_faster_or_nothing_is_known_of_it",
        ),
    ),
    Mutant(
        "pictures-bf16-multiplied-by-a-processor-that-has-none",
        "stylize_core/device.py",
        "    return dtype if has_bf16 else torch.float32",
        "    return dtype",
        (
            "tests/core/test_precision.py::test_a_processor_without_bf16_multiplies_the_same_numbers_in_float32",
            "tests/core/test_precision.py::test_only_a_processor_without_bf16_multiplies_it_in_another_format",
        ),
    ),
    Mutant(
        "pictures-a-regions-shares-forgotten-on-the-way-back",
        "stylize_core/loss/terms.py",
        "guide.put(back_bchw * guide.share_b11n, own_bchw)",
        "guide.put(back_bchw, own_bchw)",
        ("tests/core/loss/test_regions.py",),
    ),
    Mutant(
        "pictures-a-styles-transparency-ignored-by-its-statistics",
        "stylize_core/loss/targets.py",
        "    share_b1hw = alpha_b1hw\n",
        "    share_b1hw = alpha_b1hw = None\n",
        ("tests/core/loss/test_objective.py::test_what_is_transparent_carries_no_style",),
    ),
    Mutant(
        "pictures-a-styles-transparency-ignored-by-the-worker",
        "flows/worker/device_cache.py",
        "alpha_b1hw=None if picture.alpha is None else self.device.upload([picture.alpha]),",
        "alpha_b1hw=None,",
        ("tests/flows/worker/test_worker.py::test_the_transparent_part_of_a_painting_has_no_style",),
    ),
    Mutant(
        "pictures-shares-of-a-regions-blend-ignored",
        "flows/worker/regions.py",
        "[part.share for part in loaded.region.styles]",
        "[1 / len(parts) for part in loaded.region.styles]",
        ("tests/flows/worker/test_pair_regions.py::test_the_shares_of_a_regions_blend_count",),
    ),
    Mutant(
        "pictures-shares-of-a-blend-ignored",
        "flows/worker/optimize.py",
        "[part.share for part in pair.blend]",
        "[1 / len(parts) for part in pair.blend]",
        ("tests/flows/model/test_blend.py::test_a_blend_is_neither_of_its_styles_and_its_weights_count",),
    ),
    Mutant(
        "pictures-black-point-not-compensated",
        "stylize_core/image/colour.py",
        "flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | precision,",
        "flags=precision,",
        (f"{COLOUR}::test_the_deepest_black_of_a_press_is_black",),
    ),
    Mutant(
        "pictures-a-profile-ignored",
        "stylize_core/image/colour.py",
        "        return _by_profile(samples, profile)\n",
        "        return _without_profile(samples, named)\n",
        (f"{COLOUR}::test_an_embedded_profile_is_followed",),
    ),
    Mutant(
        "pictures-a-diverged-row-of-a-batch-is-done",
        "flows/worker/optimize.py",
        'if report.stop_reason == "diverged":',
        'if report.stop_reason == "never":',
        (f"{BATCH}::test_a_row_that_diverges_fails_alone_and_leaves_no_picture",),
    ),
    Mutant(
        "pictures-orientation-ignored",
        "stylize_core/image/policy.py",
        "turn = _TURNS.get(orientation)",
        "turn = _TURNS.get(None)",
        (f"{POLICY}::test_every_orientation_comes_out_upright",),
    ),
    Mutant(
        "pictures-orientation-turned-the-wrong-way",
        "stylize_core/image/policy.py",
        "6: lambda a: a[..., ::-1, :].swapaxes(-1, -2),",
        "6: lambda a: a[..., ::-1].swapaxes(-1, -2),",
        (f"{POLICY}::test_every_orientation_comes_out_upright",),
    ),
    Mutant(
        "pictures-alpha-not-turned-with-the-colours",
        "stylize_core/image/decode.py",
        "None if alpha is None else upright(alpha, turn)",
        "alpha",
        (f"{POLICY}::test_the_alpha_turns_with_the_colours",),
    ),
    Mutant(
        "pictures-hidden-colours-shine-through-alpha",
        "stylize_core/image/decode.py",
        "planes * alpha + (1 - alpha)",
        "planes",
        (f"{IMAGE}::test_content_under_full_transparency_does_not_show",),
    ),
    Mutant(
        "pictures-a-palettes-transparency-ignored",
        "stylize_core/image/samples.py",
        '"RGB" if key is None else "RGBA"',
        '"RGB"',
        (MIXTURES,),
    ),
    Mutant(
        "pictures-a-transparent-colour-ignored",
        "stylize_core/image/opening.py",
        "if not isinstance(key, int | tuple):",
        "if isinstance(key, int | tuple):",
        (f"{IMAGE}::test_one_transparent_colour_is_transparent",),
    ),
    Mutant(
        "pictures-one-channel-of-a-transparent-colour-is-enough",
        "stylize_core/image/opening.py",
        "np.any(values != np.asarray(key), axis=-1)",
        "np.all(values != np.asarray(key), axis=-1)",
        (f"{IMAGE}::test_one_transparent_colour_is_transparent",),
    ),
    Mutant(
        "pictures-alpha-of-grey-ignored",
        "stylize_core/image/samples.py",
        'if image.mode in ("LA", "RGBA"):',
        'if image.mode == "RGBA":',
        (MIXTURES,),
    ),
    Mutant(
        "pictures-sixteen-bits-saturated",
        "stylize_core/image/depth.py",
        '2.0**31 - 1 if image.mode == "I" else 65535.0',
        '2.0**31 - 1 if image.mode == "I" else 255.0',
        (f"{DEPTH}::test_the_mean_of_a_16_bit_grey_is_right",),
    ),
    Mutant(
        "pictures-sixteen-bits-keep-eight",
        "stylize_core/image/depth.py",
        "    values |= _load_as(",
        "    values |= 0 & _load_as(",
        (f"{DEPTH}::test_a_16_bit_png_keeps_its_low_bytes",),
    ),
    Mutant(
        "pictures-sixteen-bits-written-as-eight",
        "stylize_core/image/encode.py",
        "settings.bit_depth // 8)",
        "1)",
        ("tests/flows/worker/test_worker.py::test_sixteen_bits_are_sixteen_bits",),
    ),
    Mutant(
        "pictures-of-every-size-made-at-one-size",
        "stylize_core/settings/resolved.py",
        "    return automatic_stages(",
        "    return stages(1, settings.steps) or automatic_stages(",
        (f"{SIZES}::test_a_picture_at_twice_the_size_has_the_same_look",),
    ),
    Mutant(
        "pictures-with-the-noise-of-an-enlarged-scan",
        "stylize_core/pyramid/level.py",
        "SOFTNESS = 1.08",
        "SOFTNESS = 0.0",
        ("tests/core/pyramid/test_pyramid.py::test_the_noise_of_a_scan_is_no_grain_of_a_larger_picture",),
    ),
    Mutant(
        "pictures-small-paintings-measured-as-they-come",
        "stylize_core/pyramid/level.py",
        "enlarged = max(long_edge, meant_px) / long_edge",
        "enlarged = 1.0",
        (f"{SIZES}::test_a_picture_larger_than_its_painting_has_the_same_look",),
    ),
    Mutant(
        "pictures-small-paintings-measured-as-they-come-by-workers",
        "flows/worker/device_cache.py",
        "meant_px=settings.picture_size.style_px(settings.style_scale)",
        "meant_px=0",
        ("tests/core/library/test_styling.py::test_a_picture_is_the_one_that_the_command_makes",),
    ),
    Mutant(
        "pictures-of-many-sizes-with-little-time-for-each",
        "stylize_core/settings/schedule.py",
        "    before = max(steps // 2, even)\n",
        "    before = steps // 2\n",
        (
            "tests/core/pyramid/test_pyramid.py::test_each_of_many_sizes_is_given_time_and_the_last_one_no_less",
        ),
    ),
    Mutant(
        "pictures-smallest-size-depends-on-the-size",
        "stylize_core/settings/schedule.py",
        "    if coarsest:\n",
        "    if coarsest := coarsest or own:\n",
        (f"{SIZES}::test_a_few_px_more_do_not_change_where_the_large_forms_lie",),
    ),
    Mutant(
        "pictures-crosshatch-left",
        "stylize_core/settings/resolved.py",
        "return settings.diagonal_gain or DIAGONAL_GAIN[settings.encoder]",
        "return settings.diagonal_gain or 1.0",
        (f"{HATCH}::test_a_painting_leaves_no_crosshatch_on_flat_and_smooth_contents",),
    ),
    Mutant(
        "pictures-large-read-in-parts-without-a-word",
        "stylize_core/image/large/fitting.py",
        "        _how(whole, new, share),",
        '        "" if _how(whole, new, share) else "",',
        (f"{SIZED}::test_pictures_beyond_what_is_decoded_at_once_are_read_in_parts_and_say_so",),
    ),
    Mutant(
        "pictures-large-parts-of-any-size",
        "stylize_core/image/large/parts.py",
        "    if needed > budget:",
        "    if needed > 1e6 * budget:",
        (f"{LARGE}::test_what_cannot_be_read_in_bounded_memory_is_refused_with_the_reason",),
    ),
    Mutant(
        "pictures-large-filters-of-png-begin-anew-with-each-strip",
        "stylize_core/image/large/png_rows.py",
        "        above = rows[-1]",
        "        above = 0 * rows[-1]",
        (f"{LARGE}::test_a_png_is_read_row_by_row_to_the_same_picture",),
    ),
    Mutant(
        "pictures-lost-for-a-tag-that-no-file-can-be-given",
        "stylize_core/image/metadata/reading.py",
        "if tag in gps and not _can_be_written(tag, gps[tag])",
        "if tag in gps and not gps[tag]",
        (
            "tests/core/image/test_image_metadata.py::test_a_tag_that_no_file_can_be_given_is_left_out_and_the_place_stays",
        ),
    ),
    Mutant(
        "pictures-taken-above-the-sea-instead-of-below",
        "stylize_core/image/metadata/reading.py",
        "        unfit |= _ALTITUDE",
        "        unfit |= set()",
        (
            "tests/core/image/test_image_metadata.py::test_a_height_below_the_sea_does_not_become_one_above_it",
        ),
    ),
    Mutant(
        "pictures-whose-translucent-parts-fade-twice",
        "stylize_core/image/encode.py",
        "        units[:3] = stored_colours(units[:3], alpha)\n",
        "        alpha = alpha\n",
        (
            "tests/core/image/test_image_write.py::test_half_transparent_black_shows_as_it_did_on_white_and_on_black",
        ),
    ),
    Mutant(
        "pictures-with-black-rims-where-a-dark-style-is-cut-out",
        "stylize_core/image/encode.py",
        ".reciprocal().minimum(weight.reciprocal())",
        ".reciprocal().maximum(weight.reciprocal())",
        ("tests/core/image/test_image_write.py::test_what_is_darker_than_its_alpha_can_show_keeps_its_hue",),
    ),
    Mutant(
        "pictures-with-confetti-where-next-to-nothing-shows",
        "stylize_core/image/encode.py",
        "alpha.clamp_min(FAINT)",
        "alpha.clamp_min(1e-9)",
        ("tests/core/image/test_image_write.py::test_what_is_hardly_there_is_nearly_white_and_no_confetti",),
    ),
    Mutant(
        "pictures-whose-films-fade-what-is-translucent",
        "stylize_core/image/animation.py",
        "shown = stored_colours(shown, alpha) * alpha + (1 - alpha)",
        "shown = shown * alpha + 1 - alpha",
        (
            "tests/core/image/test_image_animation.py::test_translucent_parts_are_as_the_picture_shows_them_on_white",
        ),
    ),
)
