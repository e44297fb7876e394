#include "model/weights/name_tables.h"

namespace sightline::weights {
namespace {

// Written by this project.
constexpr NameRule kOwn[] = {{"*", "*"}};

// The backbones are named as timm (ViT, DeiT, hybrid, Swin before 0.9), torchvision (ResNet, VGG), Microsoft (CvT) and
// DINOv2 name them. Heads as vit-reranking, DIML, Yokoo's and cirtorch's VGG models have them.
constexpr NameRule kPlain[] = {
    {"register_tokens", "backbone.reg_token"},
    {"blocks.#.#.*", "backbone.blocks.{2}.*"},  // DINOv2 saved in chunks
    {"pool.p", "@.pool.p"},
    {"pooling.p", "@.pool.p"},
    {"whiten.*", "@.fc.*"},
    {"fc.*", "@.fc.*"},
    {"bn.*", "@.bn.*"},
    {"head.*", "linear.fc.*"},
    {"last_linear.*", "diml.last_linear.*"},
    {"*", "backbone.*"},
};

// timm 0.9 and later: a stage begins with its downsampling instead of ending with it.
constexpr NameRule kTimmSwin[] = {
    {"layers.#.downsample.*", "backbone.layers.{1-1}.downsample.*"},
    {"head.fc.*", "linear.fc.*"},
    {"head.*", "linear.fc.*"},
    {"*", "backbone.*"},
};

constexpr NameRule kTorchvisionVit[] = {
    {"class_token", "backbone.cls_token"},
    {"conv_proj.*", "backbone.patch_embed.proj.*"},
    {"encoder.pos_embedding", "backbone.pos_embed"},
    {"encoder.layers.encoder_layer_#.ln_1.*", "backbone.blocks.{1}.norm1.*"},
    {"encoder.layers.encoder_layer_#.ln_2.*", "backbone.blocks.{1}.norm2.*"},
    {"encoder.layers.encoder_layer_#.self_attention.in_proj_*", "backbone.blocks.{1}.attn.qkv.*"},
    {"encoder.layers.encoder_layer_#.self_attention.out_proj.*", "backbone.blocks.{1}.attn.proj.*"},
    {"encoder.layers.encoder_layer_#.mlp.0.*", "backbone.blocks.{1}.mlp.fc1.*"},
    {"encoder.layers.encoder_layer_#.mlp.3.*", "backbone.blocks.{1}.mlp.fc2.*"},
    {"encoder.layers.encoder_layer_#.mlp.linear_1.*", "backbone.blocks.{1}.mlp.fc1.*"},
    {"encoder.layers.encoder_layer_#.mlp.linear_2.*", "backbone.blocks.{1}.mlp.fc2.*"},
    {"encoder.ln.*", "backbone.norm.*"},
};

// One list of layers: the patches, then stages and mergings in turn.
constexpr NameRule kTorchvisionSwin[] = {
    {"features.0.0.*", "backbone.patch_embed.proj.*"},
    {"features.0.2.*", "backbone.patch_embed.norm.*"},
    {"features.1.#.mlp.0.*", "backbone.layers.0.blocks.{1}.mlp.fc1.*"},
    {"features.1.#.mlp.3.*", "backbone.layers.0.blocks.{1}.mlp.fc2.*"},
    {"features.1.#.*", "backbone.layers.0.blocks.{1}.*"},
    {"features.2.*", "backbone.layers.0.downsample.*"},
    {"features.3.#.mlp.0.*", "backbone.layers.1.blocks.{1}.mlp.fc1.*"},
    {"features.3.#.mlp.3.*", "backbone.layers.1.blocks.{1}.mlp.fc2.*"},
    {"features.3.#.*", "backbone.layers.1.blocks.{1}.*"},
    {"features.4.*", "backbone.layers.1.downsample.*"},
    {"features.5.#.mlp.0.*", "backbone.layers.2.blocks.{1}.mlp.fc1.*"},
    {"features.5.#.mlp.3.*", "backbone.layers.2.blocks.{1}.mlp.fc2.*"},
    {"features.5.#.*", "backbone.layers.2.blocks.{1}.*"},
    {"features.6.*", "backbone.layers.2.downsample.*"},
    {"features.7.#.mlp.0.*", "backbone.layers.3.blocks.{1}.mlp.fc1.*"},
    {"features.7.#.mlp.3.*", "backbone.layers.3.blocks.{1}.mlp.fc2.*"},
    {"features.7.#.*", "backbone.layers.3.blocks.{1}.*"},
    {"norm.*", "backbone.norm.*"},
};

// A ResNet as a list: conv1, bn1, ReLU, max pool, layer1 to layer4.
constexpr NameRule kCirtorch[] = {
    {"features.0.*", "backbone.conv1.*"},
    {"features.1.*", "backbone.bn1.*"},
    {"features.4.*", "backbone.layer1.*"},
    {"features.5.*", "backbone.layer2.*"},
    {"features.6.*", "backbone.layer3.*"},
    {"features.7.*", "backbone.layer4.*"},
    {"pool.p", "@.pool.p"},
    {"whiten.*", "@.fc.*"},
};

constexpr NameRule kSolar[] = {
    {"features.conv1.0.*", "backbone.conv1.*"},
    {"features.conv1.1.*", "backbone.bn1.*"},
    {"features.conv2_x.#.#.*", "backbone.layer1.{2}.*"},  // behind the max pool
    {"features.conv3_x.*", "backbone.layer2.*"},
    {"features.conv4_x.*", "backbone.layer3.*"},
    {"features.conv5_x.*", "backbone.layer4.*"},
    {"features.soa#.*", "backbone.soa{1}.*"},
    {"soa#.*", "backbone.soa{1}.*"},
    {"pool.p", "@.pool.p"},
    {"whiten.*", "@.fc.*"},
};

// Blocks count from 1.
constexpr NameRule kPycls[] = {
    {"stem.conv.*", "backbone.conv1.*"},
    {"stem.bn.*", "backbone.bn1.*"},
    {"s#.b#.proj.*", "backbone.layer{1}.{2-1}.downsample.0.*"},
    {"s#.b#.bn.*", "backbone.layer{1}.{2-1}.downsample.1.*"},
    {"s#.b#.f.a.*", "backbone.layer{1}.{2-1}.conv1.*"},
    {"s#.b#.f.a_bn.*", "backbone.layer{1}.{2-1}.bn1.*"},
    {"s#.b#.f.b.*", "backbone.layer{1}.{2-1}.conv2.*"},
    {"s#.b#.f.b_bn.*", "backbone.layer{1}.{2-1}.bn2.*"},
    {"s#.b#.f.c.*", "backbone.layer{1}.{2-1}.conv3.*"},
    {"s#.b#.f.c_bn.*", "backbone.layer{1}.{2-1}.bn3.*"},
    {"head.pool.p", "@.pool.p"},
    {"head.fc.*", "@.fc.*"},
    {"localmodel.*", "dolg.localmodel.*"},
    {"pool_g.p", "dolg.pool_g.p"},
    {"fc_t.*", "dolg.fc_t.*"},
    {"fc.*", "@.fc.*"},
};

constexpr NameRule kNetvlad[] = {
    {"encoder.#.*", "backbone.features.{1}.*"},
    {"pool.*", "netvlad.pool.*"},
    {"WPCA.*", "netvlad.WPCA.*"},
};

constexpr NameFamily kFamilies[] = {
    {"sightline", kOwn},
    {"timm, torchvision, CvT or DINOv2", kPlain},
    {"timm 0.9 Swin", kTimmSwin},
    {"torchvision ViT", kTorchvisionVit},
    {"torchvision Swin", kTorchvisionSwin},
    {"cirtorch", kCirtorch},
    {"SOLAR", kSolar},
    {"pycls (DELG, DOLG)", kPycls},
    {"pytorch-NetVlad", kNetvlad},
};

constexpr absl::string_view kClassifier = "classifier";
constexpr absl::string_view kTraining = "used in training only";
constexpr absl::string_view kTable = "a table the model makes itself";

constexpr IgnoredName kIgnored[] = {
    {"*num_batches_tracked", kTraining},
    {"*relative_position_index", kTable},
    {"*attn_mask", kTable},
    {"mask_token", kTraining},
    {"head.*", kClassifier},
    {"heads.*", kClassifier},
    {"head_dist.*", kClassifier},
    {"fc.*", kClassifier},
    {"classifier.*", kClassifier},
    {"last_linear.*", kClassifier},
    {"pre_logits.*", kClassifier},
    {"desc_cls.*", kClassifier},
    {"globalmodel.head.*", kClassifier},
    {"final.*", kClassifier},
    {"localmodel.*", "local features, which a global descriptor does not use"},
};

constexpr absl::string_view kPrefixes[] = {"module.",  "_orig_mod.", "model.",   "backbone.",
                                           "encoder.", "net.",       "network.", "globalmodel."};

}  // namespace

absl::Span<const NameFamily> NameFamilies() { return kFamilies; }
absl::Span<const IgnoredName> IgnoredNames() { return kIgnored; }
absl::Span<const absl::string_view> WrapperPrefixes() { return kPrefixes; }

}  // namespace sightline::weights
