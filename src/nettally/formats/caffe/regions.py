"""Layers of Caffe's forks for detection: regions, prior boxes, detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .builder import MANY, CaffeBuilder, axis_of, caffe

if TYPE_CHECKING:
    from .net import Spec


ONE_REGION = "from '{}' on, the layers are counted for one region of the image"


@caffe("ROIPooling", "ROIAlign", bottoms=(2, 3), sized=True)
def roi_pooling(b: CaffeBuilder, s: Spec) -> str:
    """Each region of a map, pooled to one size; counted for as many regions as there are."""
    settings = s.sub("roi_pooling_param" if s.type == "ROIPooling" else "roi_align_param")
    inputs, _ = b.sized(s, 2)
    size = settings.integer("pooled_h", 0), settings.integer("pooled_w", 0)
    if not all(size):
        raise settings.error(f"{s.label}: 'pooled_h' and 'pooled_w' are needed")
    b.note(ONE_REGION.format(s.label))
    return b.make(s, "roi_pool", inputs, size=size)


@caffe("PSROIPooling", bottoms=(2, 3), sized=True)
def position_sensitive(b: CaffeBuilder, s: Spec) -> str:
    """As ROIPooling, each place of the output from channels of its own (R-FCN)."""
    settings = s.sub("psroi_pooling_param")
    inputs, shape = b.sized(s, 2)
    channels, group = settings.integer("output_dim", 0), settings.integer("group_size", 0)
    if channels < 1 or group < 1:
        raise settings.error(f"{s.label}: 'output_dim' and 'group_size' are needed")
    if shape[1] != channels * group * group:
        raise s.error(
            "its input has other channels than output_dim · group_size²",
            values=f"{shape[1]}, not {channels} · {group}²",
        )
    b.note(ONE_REGION.format(s.label))
    return b.make(s, "roi_pool", inputs, size=(group, group), channels=channels)


@caffe("Proposal", bottoms=(1, MANY))
def regions(b: CaffeBuilder, s: Spec) -> str:
    """A layer that proposes regions: one of them, its image and its four corners."""
    b.note(f"{s.label}: proposes regions; its comparing of boxes is not counted")
    return b.make(s, "arrange", b.inputs_of(s), type=s.type, size=(1, 5))


@caffe("PriorBox", "PriorBoxClustered", bottoms=(1, 2), sized=True)
def prior_box(b: CaffeBuilder, s: Spec) -> str:
    """Boxes around each place of a map, and their variances: 2 rows (PriorBoxLayer::Reshape)."""
    settings = s.sub("prior_box_param")
    inputs, shape = b.sized(s)
    if s.type == "PriorBox":
        least, most = settings.reals("min_size"), settings.reals("max_size")
        if not least or (most and len(most) != len(least)):
            raise settings.error(
                f"{s.label}: it has a 'min_size' or more, and as many 'max_size' or none",
                values=f"{len(least)} and {len(most)}",
            )
        flip = settings.boolean("flip", True)
        ratios = {round(1e6)}  # in millionths, where Caffe takes two ratios for one
        for ratio in settings.reals("aspect_ratio"):
            if not 1e-9 < ratio < 1e9:
                raise settings.error(f"{s.label}: an aspect ratio cannot be", values=f"{ratio}")
            if round(1e6 * ratio) not in ratios:
                ratios |= {round(1e6 * each) for each in ((ratio, 1 / ratio) if flip else (ratio,))}
        boxes = len(ratios) * len(least) + len(most)
    else:
        boxes = len(settings.all("width"))
        if not boxes:
            raise settings.error(f"{s.label}: no 'width' is given")
    if len(shape) != 4:
        return b.opaque(s, inputs)
    size = (1, 2, shape[2] * shape[3] * boxes * 4)  # one example's, for all
    return b.make(s, "arrange", inputs, type=s.type, size=size)


@caffe("DetectionOutput", bottoms=(3, 5))
def detection_output(b: CaffeBuilder, s: Spec) -> str:
    """The detections that are kept, seven numbers each; how many is decided by the image."""
    settings = s.sub("detection_output_param")
    keep = max(settings.integer("keep_top_k", -1), 1)
    b.note(
        f"{s.label}: at most {keep} detections of an image; its decoding and comparing of boxes is "
        "not counted"
    )
    inputs = b.inputs_of(s)
    batch = (b.shape(inputs[0]) or (1,))[0]
    return b.make(s, "arrange", inputs, type=s.type, size=(1, 1, batch * keep, 7))


@caffe("Yolov3DetectionOutput", "YoloDetectionOutput", bottoms=(1, 5))
def yolo_output(b: CaffeBuilder, s: Spec) -> str:
    """The detections of YOLO's maps, seven numbers each; how many is decided by the image."""
    b.note(
        f"{s.label}: one detection stands for as many as the image has; its decoding and "
        "comparing of boxes is not counted"
    )
    return b.make(s, "arrange", b.inputs_of(s), type=s.type, size=(1, 1, 1, 7))


@caffe("Normalize")
def normalize(b: CaffeBuilder, s: Spec) -> str:
    """Divided by the length of the vector at each place (or of all), times a learned factor."""
    settings = s.sub("norm_param")
    fields: dict[str, Any] = {
        "across": "all" if settings.boolean("across_spatial", True) else "channels",
        "shared": settings.boolean("channel_shared", True),
        "epsilon": settings.real("eps", 1e-10),
    }
    return b.learned(s, "l2_norm", b.inputs_of(s), **fields)


@caffe("ArgMax", sized=True)
def argmax(b: CaffeBuilder, s: Spec) -> str:
    """Where the greatest values are: of an axis, or of all of an example (ArgMaxLayer::Reshape)."""
    settings = s.sub("argmax_param")
    (x, *_), shape = b.sized(s)
    top, both = settings.integer("top_k", 1), settings.boolean("out_max_val", False)
    if "axis" not in settings:
        size = (shape[0], 2 if both else 1, top)
        if top != 1 or both:
            return b.make(s, "arrange", (x,), type=s.type, size=size)
        x = b.make(s, "flatten", (x,), ".values")
        x = b.make(s, "reduce", (x,), ".places", operation="place_of_maximum", axes=(1,))
        return b.make(s, "reshape", (x,), size=(1, 1))
    axis = axis_of(s, settings.integer("axis", 1), len(shape))
    if top != 1:
        size = (*shape[:axis], top, *shape[axis + 1 :])
        return b.make(s, "arrange", (x,), type=s.type, size=size)
    return b.make(s, "reduce", (x,), operation="place_of_maximum", axes=(axis,))
