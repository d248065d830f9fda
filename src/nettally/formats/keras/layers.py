"""Which of Keras' classes is read by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import convolution as conv
from . import lookup, ops, sequence, values
from . import merging as merge

if TYPE_CHECKING:
    from .builder import Handler

AXES = ("1D", "2D", "3D")


def _over(names: str, handler: Handler, axes: tuple[str, ...] = AXES) -> dict[str, Handler]:
    return {f"{name}{axis}": handler for name in names.split() for axis in axes}


def _each(names: str, handler: Handler) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


HANDLERS: dict[str, Handler] = {
    **_over("Conv", conv.conv),
    **_over("DepthwiseConv", conv.depthwise),
    **_over("SeparableConv", conv.separable),
    **_each("Conv1DTranspose Conv2DTranspose Conv3DTranspose", conv.transpose),
    **_over("LocallyConnected", conv.local, ("1D", "2D")),
    **_over("MaxPooling AveragePooling", conv.pool),
    **_over("GlobalMaxPooling GlobalAveragePooling", conv.global_pool),
    **_over("AdaptiveMaxPooling AdaptiveAveragePooling", conv.adaptive_pool),
    **_over("UpSampling", conv.upsample),
    **_over("ZeroPadding", conv.pad),
    **_over("Cropping", conv.crop),
    "Resizing": conv.resizing,
    **_each("CenterCrop RandomCrop", conv.center_crop),
    **_each("Dense TimeDistributedDense", values.dense),
    "EinsumDense": values.einsum_dense,
    "Activation": values.activation,
    "ReLU": values.relu,
    "LeakyReLU": values.leaky_relu,
    "PReLU": values.prelu,
    "ELU": values.elu,
    "ThresholdedReLU": values.thresholded_relu,
    "Softmax": values.softmax,
    **_each("Dropout AlphaDropout GaussianDropout", values.dropout),
    **_over("SpatialDropout", values.dropout),
    **_each(
        "Identity GaussianNoise ActivityRegularization Masking StochasticDepth RandomFlip "
        "RandomRotation RandomTranslation RandomZoom RandomContrast RandomBrightness RandomHue "
        "RandomSaturation RandomSharpness RandomShear RandomGrayscale RandomInvert RandomErasing "
        "RandomColorJitter RandomColorDegeneration RandomPosterization RandomGaussianBlur "
        "RandomPerspective RandomElasticTransform RandAugment AutoContrast CutMix MixUp "
        "AugMix Solarization Equalization",
        values.identity,
    ),
    "BatchNormalization": values.batch_norm,
    **_each("LayerNormalization RMSNormalization", values.layer_norm),
    "GroupNormalization": values.group_norm,
    "UnitNormalization": values.unit_norm,
    "Normalization": values.normalization,
    "Rescaling": values.rescaling,
    "LayerScale": values.layer_scale,
    **dict.fromkeys(merge.MERGES, merge.merge),
    "Concatenate": merge.concatenate,
    "CustomScaleLayer": merge.custom_scale,
    "Merge": merge.merge_1,
    "Dot": merge.dot,
    "Flatten": merge.flatten,
    "Reshape": merge.reshape,
    "Permute": merge.permute,
    "RepeatVector": merge.repeat_vector,
    **_each("SimpleRNN LSTM GRU CuDNNLSTM CuDNNGRU", sequence.recurrent),
    "RNN": sequence.cells,
    "Bidirectional": sequence.bidirectional,
    "TimeDistributed": sequence.time_distributed,
    **_over("ConvLSTM", sequence.conv_lstm),
    "Embedding": sequence.embedding,
    **_each("MultiHeadAttention GroupedQueryAttention GroupQueryAttention", sequence.multi_head),
    **_each("Attention AdditiveAttention", sequence.attention),
    **_each("IntegerLookup StringLookup Hashing Discretization CategoryEncoding", lookup.lookup),
    "TextVectorization": lookup.text_vectorization,
    "FixedPointQuantizer": lookup.quantizer,
    "SpectralNormalization": sequence.spectral_norm,
    **_each("TFOpLambda SlicingOpLambda", ops.lambda_op),
    "keras.ops": ops.keras_op,
    "TensorFlowOpLayer": ops.graph_op,
}
"""Keras' own layers, of versions 1 to 3."""

SPATIAL = tuple(
    name
    for name in HANDLERS
    if name.endswith(("2D", "3D", "2DTranspose", "3DTranspose")) and "ConvLSTM" not in name
)
ALONG = tuple(
    name for name in HANDLERS if name.endswith(("1D", "1DTranspose")) and "Dropout" not in name
)
STEPS = (
    *("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU", "RNN", "Bidirectional"),
    *("TimeDistributed", "Embedding", "MultiHeadAttention", "Attention", "AdditiveAttention"),
)
