"""The fields of Caffe's messages: which there are, and their numbers in binary files.

Facts of src/caffe/proto/caffe.proto (BVLC, with SSD's fields and some other forks'), written
``name:number:type``: i whole number, b true or false, f float, d double, s string, a capital the
message or the words of a choice; ``*`` for repeated. Number 0: of a fork, known by name only.
"""

from __future__ import annotations

from typing import NamedTuple

from .types import V1_WORDS

WORDS = {
    "PHASE": ("TRAIN", "TEST"),
    "POOL": ("MAX", "AVE", "STOCHASTIC"),
    "ROUND": ("CEIL", "FLOOR"),
    "ELTWISE": ("PROD", "SUM", "MAX"),
    "REGION": ("ACROSS_CHANNELS", "WITHIN_CHANNEL"),
    "REDUCTION": ("", "SUM", "ASUM", "SUMSQ", "MEAN"),
    "ENGINE": ("DEFAULT", "CAFFE", "CUDNN"),
    "DB": ("LEVELDB", "LMDB"),
    "VARIANCE": ("FAN_IN", "FAN_OUT", "AVERAGE"),
    "SHARE": ("STRICT", "PERMISSIVE"),
    "CODE": ("", "CORNER", "CENTER_SIZE", "CORNER_SIZE"),
    "V1TYPE": V1_WORDS,
}
"""The words of choices, by their numbers."""

_SOURCE = "source:1:s batch_size:4:i scale:2:f mean_file:3:s crop_size:5:i mirror:6:b "

_PARAMS = (
    "accuracy_param:102:Fork argmax_param:103:ArgMax batch_norm_param:139:BatchNorm "
    "bias_param:141:Bias clip_param:148:Clip concat_param:104:Concat "
    "contrastive_loss_param:105:Fork convolution_param:106:Convolution "
    "crop_param:144:Crop data_param:107:Data dropout_param:108:Dropout "
    "dummy_data_param:109:DummyData eltwise_param:110:Eltwise elu_param:140:ELU "
    "embed_param:137:Embed exp_param:111:Exp flatten_param:135:Flatten "
    "hdf5_data_param:112:HDF5Data hdf5_output_param:113:Fork "
    "hinge_loss_param:114:Fork image_data_param:115:ImageData "
    "infogain_loss_param:116:Fork inner_product_param:117:InnerProduct "
    "input_param:143:InputParameter log_param:134:Log lrn_param:118:LRN "
    "memory_data_param:119:MemoryData mvn_param:120:MVN parameter_param:145:Parameter "
    "pooling_param:121:Pooling power_param:122:Power prelu_param:131:PReLU "
    "python_param:130:Python recurrent_param:146:Recurrent reduction_param:136:Reduction "
    "relu_param:123:ReLU reshape_param:133:Reshape scale_param:142:Scale "
    "sigmoid_param:124:Engine softmax_param:125:Softmax spp_param:132:SPP slice_param:126:Slice "
    "swish_param:147:Swish tanh_param:127:Engine threshold_param:128:Threshold "
    "tile_param:138:Tile window_data_param:129:WindowData "
    # SSD's
    "norm_param:206:Normalize permute_param:202:Permute prior_box_param:203:PriorBox "
    "detection_output_param:204:DetectionOutput multibox_loss_param:201:Fork "
    "annotated_data_param:200:Fork detection_evaluate_param:205:Fork video_data_param:207:Fork "
    # other forks'
    "roi_pooling_param:8266711:ROIPooling roi_align_param:0:ROIPooling "
    "psroi_pooling_param:0:PSROIPooling bn_param:0:BN interp_param:0:Interp "
    "upsample_param:0:Upsample unpooling_param:0:Unpooling reorg_param:0:Reorg "
    "shuffle_channel_param:0:Shuffle proposal_param:0:Fork dense_image_data_param:0:Fork "
    "axpy_param:0:Fork smooth_l1_loss_param:0:Fork label_map_file:0:s "
    "yolov3_detection_output_param:0:Fork yolo_detection_output_param:0:Fork "
    "yolov3_param:0:Fork flip_param:0:Fork margin_inner_product_param:0:MarginInnerProduct"
)

_MESSAGES = {
    "Net": "name:1:s input:3:s* input_shape:8:BlobShape* input_dim:4:i* force_backward:5:b "
    "state:6:NetState debug_info:7:b layer:100:Layer* layers:2:V1Layer*",
    "BlobShape": "dim:1:i*",
    "Blob": "shape:7:BlobShape data:5:f* diff:6:f* double_data:8:d* double_diff:9:d* num:1:i "
    "channels:2:i height:3:i width:4:i raw_data_type:10:i raw_diff_type:11:i raw_data:12:s "
    "raw_diff:13:s",
    "NetState": "phase:1:PHASE level:2:i stage:3:s*",
    "NetStateRule": "phase:1:PHASE min_level:2:i max_level:3:i stage:4:s* not_stage:5:s*",
    "ParamSpec": "name:1:s share_mode:2:SHARE lr_mult:3:f decay_mult:4:f",
    "Layer": "name:1:s type:2:s bottom:3:s* top:4:s* phase:10:PHASE loss_weight:5:f* "
    "param:6:ParamSpec* blobs:7:Blob* propagate_down:11:b* include:8:NetStateRule* "
    "exclude:9:NetStateRule* transform_param:100:Transformation loss_param:101:Fork " + _PARAMS,
    "V1Layer": "bottom:2:s* top:3:s* name:4:s include:32:NetStateRule* exclude:33:NetStateRule* "
    "type:5:V1TYPE blobs:6:Blob* param:1001:s* blob_share_mode:1002:SHARE* blobs_lr:7:f* "
    "weight_decay:8:f* loss_weight:35:f* accuracy_param:27:Fork argmax_param:23:ArgMax "
    "concat_param:9:Concat contrastive_loss_param:40:Fork "
    "convolution_param:10:Convolution data_param:11:Data dropout_param:12:Dropout "
    "dummy_data_param:26:DummyData eltwise_param:24:Eltwise exp_param:41:Exp "
    "hdf5_data_param:13:HDF5Data hdf5_output_param:14:Fork hinge_loss_param:29:Fork "
    "image_data_param:15:ImageData infogain_loss_param:16:Fork "
    "inner_product_param:17:InnerProduct lrn_param:18:LRN memory_data_param:22:MemoryData "
    "mvn_param:34:MVN pooling_param:19:Pooling power_param:21:Power relu_param:30:ReLU "
    "sigmoid_param:38:Engine softmax_param:39:Softmax slice_param:31:Slice tanh_param:37:Engine "
    "threshold_param:25:Threshold window_data_param:20:WindowData "
    "transform_param:36:Transformation loss_param:42:Fork layer:1:V0Layer",
    "V0Layer": "name:1:s type:2:s num_output:3:i biasterm:4:b weight_filler:5:Filler "
    "bias_filler:6:Filler pad:7:i kernelsize:8:i group:9:i stride:10:i pool:11:POOL "
    "dropout_ratio:12:f local_size:13:i alpha:14:f beta:15:f source:16:s scale:17:f meanfile:18:s "
    "batchsize:19:i cropsize:20:i mirror:21:b k:22:f blobs:50:Blob* blobs_lr:51:f* "
    "weight_decay:52:f* rand_skip:53:i det_fg_threshold:54:f det_bg_threshold:55:f "
    "det_fg_fraction:56:f det_context_pad:58:i det_crop_mode:59:s new_num:60:i new_channels:61:i "
    "new_height:62:i new_width:63:i shuffle_images:64:b concat_dim:65:i "
    "hdf5_output_param:1001:Fork",
    "Filler": "type:1:s value:2:f min:3:f max:4:f mean:5:f std:6:f sparse:7:i "
    "variance_norm:8:VARIANCE diag_val:0:f* file:0:s",
    "Transformation": "scale:1:f mirror:2:b crop_size:3:i mean_file:4:s mean_value:5:f* "
    "force_color:6:b force_gray:7:b resize_param:8:ResizeImage noise_param:9:Fork "
    "emit_constraint:10:Fork crop_h:11:i crop_w:12:i distort_param:13:Fork expand_param:14:Fork",
    "ResizeImage": "prob:1:f resize_mode:2:s height:3:i width:4:i pad_mode:5:s pad_value:6:f* "
    "interp_mode:7:s* height_scale:8:i width_scale:9:i",
    "ArgMax": "out_max_val:1:b top_k:2:i axis:3:i",
    "BatchNorm": "use_global_stats:1:b moving_average_fraction:2:f eps:3:f scale_bias:0:b "
    "scale_filler:0:Filler bias_filler:0:Filler engine:0:ENGINE",
    "BN": "slope_filler:0:Filler bias_filler:0:Filler momentum:0:f eps:0:f frozen:0:b "
    "engine:0:ENGINE bn_mode:0:s scale_filler:0:Filler shift_filler:0:Filler",
    "Bias": "axis:1:i num_axes:2:i filler:3:Filler",
    "Clip": "min:1:f max:2:f",
    "Concat": "axis:2:i concat_dim:1:i",
    "Convolution": "num_output:1:i bias_term:2:b pad:3:i* kernel_size:4:i* stride:6:i* "
    "dilation:18:i* pad_h:9:i pad_w:10:i kernel_h:11:i kernel_w:12:i stride_h:13:i stride_w:14:i "
    "group:5:i weight_filler:7:Filler bias_filler:8:Filler engine:15:ENGINE axis:16:i "
    "force_nd_im2col:17:b",
    "Crop": "axis:1:i offset:2:i*",
    "Data": _SOURCE + "rand_skip:7:i backend:8:DB force_encoded_color:9:b prefetch:10:i",
    "DetectionOutput": "num_classes:1:i share_location:2:b background_label_id:3:i "
    "nms_param:4:Fork save_output_param:5:Fork code_type:6:CODE keep_top_k:7:i "
    "variance_encoded_in_target:8:b "
    "confidence_threshold:9:f visualize:10:b visualize_threshold:11:f save_file:12:s",
    "Dropout": "dropout_ratio:1:f scale_train:0:b",
    "DummyData": "data_filler:1:Filler* shape:6:BlobShape* num:2:i* channels:3:i* height:4:i* "
    "width:5:i*",
    "ELU": "alpha:1:f",
    "Eltwise": "operation:1:ELTWISE coeff:2:f* stable_prod_grad:3:b",
    "Embed": "num_output:1:i input_dim:2:i bias_term:3:b weight_filler:4:Filler "
    "bias_filler:5:Filler",
    "Engine": "engine:1:ENGINE",
    "Exp": "base:1:f scale:2:f shift:3:f",
    "Flatten": "axis:1:i end_axis:2:i",
    "HDF5Data": "source:1:s batch_size:2:i shuffle:3:b",
    "ImageData": _SOURCE + "rand_skip:7:i shuffle:8:b new_height:9:i new_width:10:i is_color:11:b "
    "root_folder:12:s",
    "InnerProduct": "num_output:1:i bias_term:2:b weight_filler:3:Filler bias_filler:4:Filler "
    "axis:5:i transpose:6:b",
    "InputParameter": "shape:1:BlobShape*",
    "Interp": "height:0:i width:0:i zoom_factor:0:i shrink_factor:0:i pad_beg:0:i pad_end:0:i",
    "LRN": "local_size:1:i alpha:2:f beta:3:f norm_region:4:REGION k:5:f engine:6:ENGINE",
    "Log": "base:1:f scale:2:f shift:3:f",
    "MarginInnerProduct": "num_output:1:i type:2:s weight_filler:3:Filler axis:4:i base:5:f "
    "gamma:6:f power:7:f lambda_min:8:f iteration:9:i",
    "MVN": "normalize_variance:1:b across_channels:2:b eps:3:f",
    "MemoryData": "batch_size:1:i channels:2:i height:3:i width:4:i dim:0:i*",
    "Normalize": "across_spatial:1:b scale_filler:2:Filler channel_shared:3:b eps:4:f",
    "PReLU": "filler:1:Filler channel_shared:2:b",
    "PSROIPooling": "spatial_scale:0:f output_dim:0:i group_size:0:i",
    "Parameter": "shape:1:BlobShape",
    "Permute": "order:1:i*",
    "Pooling": "pool:1:POOL pad:4:i* pad_h:9:i pad_w:10:i kernel_size:2:i* kernel_h:5:i "
    "kernel_w:6:i stride:3:i* stride_h:7:i stride_w:8:i engine:11:ENGINE global_pooling:12:b "
    "round_mode:13:ROUND ceil_mode:0:b",
    "Power": "power:1:f scale:2:f shift:3:f",
    "PriorBox": "min_size:1:f* max_size:2:f* aspect_ratio:3:f* flip:4:b clip:5:b variance:6:f* "
    "img_size:7:i img_h:8:i img_w:9:i step:10:f step_h:11:f step_w:12:f offset:13:f width:0:f* "
    "height:0:f*",
    "Python": "module:1:s layer:2:s param_str:3:s share_in_parallel:4:b",
    "ROIPooling": "pooled_h:1:i pooled_w:2:i spatial_scale:3:f pad_ratio:0:f",
    "ReLU": "negative_slope:1:f engine:2:ENGINE",
    "Recurrent": "num_output:1:i weight_filler:2:Filler bias_filler:3:Filler debug_info:4:b "
    "expose_hidden:5:b",
    "Reduction": "operation:1:REDUCTION axis:2:i coeff:3:f",
    "Reorg": "stride:0:i reverse:0:b",
    "Reshape": "shape:1:BlobShape axis:2:i num_axes:3:i",
    "SPP": "pyramid_height:1:i pool:2:POOL engine:6:ENGINE",
    "Scale": "axis:1:i num_axes:2:i filler:3:Filler bias_term:4:b bias_filler:5:Filler",
    "Shuffle": "group:0:i",
    "Slice": "axis:3:i slice_point:2:i* slice_dim:1:i",
    "Softmax": "engine:1:ENGINE axis:2:i",
    "Swish": "beta:1:f",
    "Threshold": "threshold:1:f",
    "Tile": "axis:1:i tiles:2:i",
    "Upsample": "scale:0:i scale_h:0:i scale_w:0:i pad_out_h:0:b pad_out_w:0:b upsample_h:0:i "
    "upsample_w:0:i mode:0:s",
    "Unpooling": "unpool:0:s pad:0:i pad_h:0:i pad_w:0:i kernel_size:0:i kernel_h:0:i kernel_w:0:i "
    "stride:0:i stride_h:0:i stride_w:0:i unpool_size:0:i unpool_h:0:i unpool_w:0:i",
    "WindowData": _SOURCE + "fg_threshold:7:f bg_threshold:8:f fg_fraction:9:f context_pad:10:i "
    "crop_mode:11:s cache_images:12:b root_folder:13:s",
}


class Known(NamedTuple):
    """A known field: its name, its number (0: none known), its type, and whether it repeats."""

    name: str
    number: int
    type: str
    repeated: bool


_read: dict[str, tuple[dict[str, Known], dict[int, Known]]] = {}


def fields(message: str) -> tuple[dict[str, Known], dict[int, Known]]:
    """A message's fields by name and by number; empty for one that is known by name only."""
    if message not in _read:
        by_name: dict[str, Known] = {}
        for each in _MESSAGES.get(message, "").split():
            name, number, type_ = each.split(":")
            by_name[name] = Known(name, int(number), type_.rstrip("*"), type_.endswith("*"))
        _read[message] = (
            by_name,
            {known.number: known for known in by_name.values() if known.number},
        )
    return _read[message]


def messages() -> tuple[str, ...]:
    """The messages that are known field by field."""
    return tuple(_MESSAGES)
