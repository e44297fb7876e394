// ModelConfig: everything model.json says. docs of each field are here; the file may hold nothing else.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG or MALFORMED_JSON
// and one sentence that names the field.
//
//   auto config = ParseModelConfig(text);
//   std::visit(..., config->backbone);
#ifndef SIGHTLINE_MODEL_CONFIG_MODEL_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_MODEL_CONFIG_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/architecture.h"
#include "model/rerank_defaults.h"
#include "model/tokens/precision.h"

namespace sightline::model {

// How the vectors of several scales become one, each L2-normalised before.
enum class ScaleMerge {
  kMean,
  // (mean of v^p)^(1/p) with GeM's own p, for a head that ends with GeM: the merging of cirtorch's models without an
  // FC.
  kPower,
};

// How an image is brought to its size.
enum class ResizeMode {
  kFit,         // the longest side to image_size, the aspect kept (or the closest bucket's)
  kSquash,      // both sides to image_size, whatever the aspect
  kCentreCrop,  // the short side to short_side, the aspect kept; then the middle image_size x image_size
};

// From pixels to the network's input. All of it decides the descriptor.
struct PreprocessConfig {
  int version = 1;                     // of the resizing and normalising code; raised when its results change
  ResizeMode mode = ResizeMode::kFit;  // written only where it is not kFit
  int short_side = 0;                  // of kCentreCrop, pixels, at scale 1; not written otherwise
  int image_size = 1024;               // the longest side after resizing, pixels, at scale 1
  int size_multiple = 16;              // sides are rounded to multiples of this
  bool enlarge = false;  // kFit: whether images smaller than image_size are enlarged to it; the others always are
  std::array<float, 3> mean = {0.5f, 0.5f, 0.5f};  // of values in [0, 1], RGB
  std::array<float, 3> std = {0.5f, 0.5f, 0.5f};
  // Width / height of the buckets; an image takes the one closest in ratio. Empty: every image keeps its own.
  std::vector<double> aspect_ratios = {};
  std::vector<double> scales = {1.0};
  // The descriptor is L2 of the merged vectors; a whitening follows.
  ScaleMerge merge = ScaleMerge::kMean;
};

enum class Importance {
  kClsAttention,  // how much the class token attends to a patch
  kCentre,        // relu of the cosine to the centre
  kRollout,       // attention followed through all blocks
  kNorm,          // length of a cell before its projection
};

// The map from the backbone's channels to token space.
enum class TokenProjection {
  kOrthonormal,  // from a seed
  kStored,       // the tensor "tokens.projection" (D, dim) of the weights file
  kHead,         // the linear map that the head shares with the patches
};

// The patch tokens kept for re-ranking.
struct TokensConfig {
  int dim = 128;        // Ct, after projection
  int max_cells = 196;  // the grid is pooled to at most this many cells
  TokenProjection projection = TokenProjection::kOrthonormal;
  uint64_t projection_seed = 0;
  Importance importance = Importance::kClsAttention;
  TokenPrecision precision = TokenPrecision::kInt8;  // written only where it is not kInt8
};

// The file that weights were imported from. It decides nothing.
struct SourceConfig {
  std::string file;     // its name, without folders
  std::string sha256;   // of the file, lower-case hex
  std::string format;   // "safetensors", "PyTorch zip", "PyTorch legacy"
  std::string wrapper;  // where in the file the tensors were: "state_dict"; empty for the file itself
  std::string names;    // the family of names they had
};

// How the weights were trained. It decides nothing.
struct TrainingRecord {
  std::string data;           // what the training photographs were, in words
  int64_t photographs = 0;    // of them
  int64_t classes = 0;        // among them
  int64_t steps = 0;          // of the optimiser
  std::string init;           // the file that the training began with; empty: from the seed alone
  std::string teacher;        // the model it was distilled from; empty: none
  int64_t seed = 0;
  std::string config_sha256;  // of the training configuration, lower-case hex
};

struct ModelConfig {
  std::string name;
  std::string provenance;  // where the weights come from, in words
  std::optional<SourceConfig> source = std::nullopt;
  std::optional<TrainingRecord> training = std::nullopt;
  // Parts whose values in the weights file are the seeded initialisation, not trained: "dtop". A model with any is
  // untrained.
  std::vector<std::string> seeded = {};
  BackboneConfig backbone;
  HeadConfig head;
  std::optional<WhiteningConfig> whitening;
  PreprocessConfig preprocess;
  TokensConfig tokens;
  RerankDefaults rerank;            // decides no descriptor and no token
  bool names_rerank_method = false;  // whether model.json says rerank.method itself
  uint64_t seed = 0;      // of the initialisation used when there are no weights

  // All learned values, backbone, head and whitening.
  int64_t parameters() const;
  // Of what the model gives: the whitening's, or the head's.
  int descriptor_dim() const;
};

// Refuses architectures of more values than any published retrieval model needs: 2 GiB as float32.
inline constexpr int64_t kMaxParameters = 512 * 1024 * 1024;

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view text);

nlohmann::json ToJson(const PreprocessConfig& config);
nlohmann::json ToJson(const TokensConfig& config);
nlohmann::json ToJson(const SourceConfig& config);
nlohmann::json ToJson(const TrainingRecord& record);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_MODEL_CONFIG_H_
