"""Layers of Caffe's forks for detection: regions, prior boxes, detections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .builder import MANY, Builder, axis_of, caffe

if TYPE_CHECKING:
    from .net import Spec


@caffe("ROIPooling", "ROIAlign", bottoms=(2, 3))
def roi_pooling(b: Builder, s: Spec) -> None:
    """Each region of a map, pooled to one size; counted for as many regions as there are."""
    settings = s.sub("roi_pooling_param" if s.type == "ROIPooling" else "roi_align_param")
    inputs = b.inputs_of(s, 2)
    shape = b.shape(inputs[0])
    size = settings.integer("pooled_h", 0), settings.integer("pooled_w", 0)
    if not all(size):
        raise settings.error(f"{s.label}: 'pooled_h' and 'pooled_w' are needed")
    if shape is None:
        b.finish(s, b.unknown(s, inputs))
        return
    b.finish(s, b.make(s, "roi_pool", inputs, size=size))
    b.note(f"from '{s.label}' on, the layers are counted for one region of the image")


@caffe("PSROIPooling", bottoms=(2, 3))
def position_sensitive(b: Builder, s: Spec) -> None:
    """As ROIPooling, each place of the output from channels of its own (R-FCN)."""
    settings = s.sub("psroi_pooling_param")
    inputs = b.inputs_of(s, 2)
    channels, group = settings.integer("output_dim", 0), settings.integer("group_size", 0)
    if channels < 1 or group < 1:
        raise settings.error(f"{s.label}: 'output_dim' and 'group_size' are needed")
    shape = b.shape(inputs[0])
    if shape is not None and shape[1] != channels * group * group:
        raise s.error(
            "its input has other channels than output_dim · group_size²",
            values=f"{shape[1]}, not {channels} · {group}²",
        )
    if shape is None:
        b.finish(s, b.unknown(s, inputs))
        return
    b.finish(s, b.make(s, "roi_pool", inputs, size=(group, group), channels=channels))
    b.note(f"from '{s.label}' on, the layers are counted for one region of the image")


@caffe("Proposal", bottoms=(1, MANY))
def proposal(b: Builder, s: Spec) -> None:
    """The regions that are looked at, one: its image and its corners."""
    regions(b, s)


def regions(b: Builder, s: Spec) -> None:
    """A layer that proposes regions: one of them, five numbers."""
    inputs = b.inputs_of(s)
    b.finish(s, b.make(s, "arrange", inputs, type=s.type, size=(1, 5)))
    b.note(f"{s.label}: proposes regions; its comparing of boxes is not counted")


@caffe("PriorBox", "PriorBoxClustered", bottoms=(1, 2))
def prior_box(b: Builder, s: Spec) -> None:
    """Boxes around each place of a map, and their variances: 2 rows (PriorBoxLayer::Reshape)."""
    settings = s.sub("prior_box_param")
    inputs = b.inputs_of(s)
    if s.type == "PriorBox":
        least, most = settings.reals("min_size"), settings.reals("max_size")
        if not least or (most and len(most) != len(least)):
            raise settings.error(
                f"{s.label}: it has a 'min_size' or more, and as many 'max_size' or none",
                values=f"{len(least)} and {len(most)}",
            )
        flip = settings.boolean("flip", True)
        ratios = [1.0]
        for ratio in settings.reals("aspect_ratio"):
            if ratio <= 0:
                raise settings.error(f"{s.label}: an aspect ratio is positive", values=f"{ratio}")
            if any(abs(ratio - known) < 1e-6 for known in ratios):
                continue
            ratios += [ratio, 1 / ratio] if flip else [ratio]
        boxes = len(ratios) * len(least) + len(most)
    else:
        boxes = len(settings.all("width"))
        if not boxes:
            raise settings.error(f"{s.label}: no 'width' is given")
    shape = b.shape(inputs[0])
    if shape is None or len(shape) != 4:
        b.finish(s, b.unknown(s, inputs))
        return
    size = (1, 2, shape[2] * shape[3] * boxes * 4)  # one example's, for all
    b.finish(s, b.make(s, "arrange", inputs, type=s.type, size=size))


@caffe("DetectionOutput", bottoms=(3, 5))
def detection_output(b: Builder, s: Spec) -> None:
    """The detections that are kept, seven numbers each; how many is decided by the image."""
    settings = s.sub("detection_output_param")
    keep = max(settings.integer("keep_top_k", -1), 1)
    inputs = b.inputs_of(s)
    shape = b.shape(inputs[0])
    batch = 1 if shape is None else shape[0]
    b.finish(s, b.make(s, "arrange", inputs, type=s.type, size=(1, 1, batch * keep, 7)))
    b.note(
        f"{s.label}: at most {keep} detections of an image; its decoding and comparing of boxes is "
        "not counted"
    )


@caffe("Yolov3DetectionOutput", "YoloDetectionOutput", bottoms=(1, 5))
def yolo_output(b: Builder, s: Spec) -> None:
    """The detections of YOLO's maps, seven numbers each; how many is decided by the image."""
    b.finish(s, b.make(s, "arrange", b.inputs_of(s), type=s.type, size=(1, 1, 1, 7)))
    b.note(
        f"{s.label}: one detection stands for as many as the image has; its decoding and "
        "comparing of boxes is not counted"
    )


@caffe("Normalize")
def normalize(b: Builder, s: Spec) -> None:
    """Divided by the length of the vector at each place (or of all), times a learned factor."""
    settings = s.sub("norm_param")
    fields: dict[str, Any] = {
        "across": "all" if settings.boolean("across_spatial", True) else "channels",
        "shared": settings.boolean("channel_shared", True),
        "epsilon": settings.real("eps", 1e-10),
    }
    name = b.make(s, "l2_norm", b.inputs_of(s), **fields)
    b.share(s, name)
    b.finish(s, name)


@caffe("ArgMax")
def argmax(b: Builder, s: Spec) -> None:
    """Where the greatest values are: of an axis, or of all of an example (ArgMaxLayer::Reshape)."""
    settings = s.sub("argmax_param")
    (x,) = b.inputs_of(s)
    shape, top = b.shape(x), settings.integer("top_k", 1)
    both = settings.boolean("out_max_val", False)
    if shape is None:
        b.finish(s, b.unknown(s, (x,)))
        return
    if "axis" not in settings:
        size = (shape[0], 2 if both else 1, top)
        if top != 1 or both:
            b.finish(s, b.make(s, "arrange", (x,), type=s.type, size=size))
            return
        x = b.make(s, "flatten", (x,), ".values")
        x = b.make(s, "reduce", (x,), ".places", operation="place_of_maximum", axes=(1,))
        b.finish(s, b.make(s, "reshape", (x,), size=(1, 1)))
        return
    axis = axis_of(s, settings.integer("axis", 1), len(shape))
    if top != 1:
        size = (*shape[:axis], top, *shape[axis + 1 :])
        b.finish(s, b.make(s, "arrange", (x,), type=s.type, size=size))
        return
    b.finish(s, b.make(s, "reduce", (x,), operation="place_of_maximum", axes=(axis,)))
