#include "model/train/run/initialise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "model/backbone/position_embedding.h"
#include "model/train/run/class_token_start.h"
#include "model/weights/checkpoint.h"
#include "model/weights/import_config.h"
#include "model/weights/load.h"
#include "model/weights/name_map.h"
#include "model/weights/safetensors.h"
#include "model/weights/seeded_init.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostModelJson = 1 << 20;
constexpr int64_t kMostWeights = 3LL * 1024 * 1024 * 1024;
constexpr absl::string_view kPositions = "backbone.pos_embed";
constexpr absl::string_view kPatchProjection = "backbone.patch_embed.proj.weight";

struct Blank {
  model::ModelConfig config;
  std::shared_ptr<model::Network> network;
  std::vector<model::NamedTensor> tensors;
};

absl::StatusOr<Blank> BlankNetwork(const std::string& model_json) {
  Blank blank;
  SIGHTLINE_ASSIGN_OR_RETURN(blank.config, model::ParseModelConfig(model_json));
  if (blank.config.whitening.has_value()) {
    return base::InvalidArgument("WHITENING_NOT_TRAINED",
                                 absl::StrCat("model ", blank.config.name,
                                              " ends with a whitening, which is fitted and not trained. Take "
                                              "\"whitening\" out of model.json, train, then run `sightline-train "
                                              "whiten`."));
  }
  blank.network = std::make_shared<model::Network>(blank.config.backbone, blank.config.head);
  blank.tensors = model::InferenceTensors(*blank.network);
  return blank;
}

torch::Tensor FloatsOf(const weights::TensorView& view) {
  const torch::Tensor values = torch::empty(view.shape, torch::kFloat);
  weights::ToFloats(view.dtype, view.bytes,
                    absl::MakeSpan(values.data_ptr<float>(), static_cast<size_t>(values.numel())));
  return values;
}

// "backbone.blocks.3.attn.qkv.weight" -> "backbone.blocks": what a row of the table is about.
std::string PartOf(const std::string& name) {
  const std::vector<std::string> pieces = absl::StrSplit(name, '.');
  return pieces.size() < 3 ? pieces[0] : absl::StrCat(pieces[0], ".", pieces[1]);
}

class Taker {
 public:
  Taker(const InitConfig& init, const weights::Checkpoint& checkpoint) : init_(init), checkpoint_(checkpoint) {}

  absl::Status Run(const std::string& model_json, uint64_t seed, StartingPoint& start) {
    SIGHTLINE_ASSIGN_OR_RETURN(model::ImportedConfig imported, model::ImportedConfig::Parse(model_json));
    SIGHTLINE_RETURN_IF_ERROR(Map(imported));
    if (!init_.resize_positions && Wanted(kPositions) && imported.TakeGrid(mapping_)) {
      SIGHTLINE_RETURN_IF_ERROR(Map(imported));
    }
    model::InitialiseSeeded(blank_.tensors, std::max(1, model::Facts(blank_.config.backbone).blocks), seed);
    SIGHTLINE_RETURN_IF_ERROR(Fill());
    if (taken_.empty()) {
      return base::InvalidArgument(
          "CHECKPOINT_FITS_NOTHING",
          absl::StrCat("no tensor of ", init_.checkpoint, " fits model ", blank_.config.name,
                       init_.prefix.empty() ? "" : absl::StrCat(" under the prefix ", weights::Quoted(init_.prefix)),
                       ". Choose another checkpoint, or leave \"init\" out."),
          {{"path", init_.checkpoint}});
    }
    start.model_json = imported.Text();
    start.config = blank_.config;
    start.network = blank_.network;
    start.taken = static_cast<int64_t>(taken_.size());
    start.table = Table(imported);
    return absl::OkStatus();
  }

 private:
  bool Wanted(absl::string_view name) const { return absl::StartsWith(name, init_.prefix); }

  absl::Status Map(const model::ImportedConfig& imported) {
    SIGHTLINE_ASSIGN_OR_RETURN(blank_, BlankNetwork(imported.Text()));
    std::vector<weights::TensorShape> shapes;
    for (const model::NamedTensor& tensor : blank_.tensors) {
      shapes.push_back({tensor.name, tensor.tensor.sizes().vec()});
      by_name_[tensor.name] = tensor.tensor;
    }
    mapping_ = weights::MapNames(checkpoint_.tensors(), shapes, std::string(model::TypeName(blank_.config.head)));
    return absl::OkStatus();
  }

  absl::Status Fill() {
    torch::NoGradGuard no_grad;
    for (const weights::MappedTensor& mapped : mapping_.tensors) {
      if (!Wanted(mapped.target)) continue;
      const weights::TensorView& view = checkpoint_.tensors()[mapped.source];
      SIGHTLINE_RETURN_IF_ERROR(Copy(view, FloatsOf(view).reshape(by_name_[mapped.target].sizes()), mapped.target));
    }
    SIGHTLINE_RETURN_IF_ERROR(TakeLinearPatches());
    if (init_.class_token_head) SIGHTLINE_RETURN_IF_ERROR(StartFromClassToken(blank_.config, *blank_.network));
    if (!init_.resize_positions || !Wanted(kPositions)) return absl::OkStatus();
    for (const weights::FoundTensor& found : mapping_.findings) {
      if (found.what != weights::Finding::kMisshaped || found.target != kPositions) continue;
      SIGHTLINE_RETURN_IF_ERROR(Resize(found));
    }
    return absl::OkStatus();
  }

  // A plain ViT's patch embedding for a hybrid that has linear patches beside its stem. The stem then adds nothing at
  // first, so that the hybrid begins as the plain ViT.
  absl::Status TakeLinearPatches() {
    const auto own = by_name_.find("backbone.patch_embed.patches.weight");
    if (own == by_name_.end() || !Wanted(own->first)) return absl::OkStatus();
    for (const weights::FoundTensor& found : mapping_.findings) {
      if (found.what != weights::Finding::kMisshaped || found.target != kPatchProjection ||
          found.file_shape != own->second.sizes().vec()) {
        continue;
      }
      const auto view = std::find_if(checkpoint_.tensors().begin(), checkpoint_.tensors().end(),
                                     [&](const weights::TensorView& tensor) { return tensor.name == found.name; });
      SIGHTLINE_RETURN_IF_ERROR(Copy(*view, FloatsOf(*view), own->first));
      by_name_[std::string(kPatchProjection)].zero_();
      by_name_["backbone.patch_embed.patches.bias"].zero_();
      linear_patches_ = true;
    }
    return absl::OkStatus();
  }

  absl::Status Copy(const weights::TensorView& view, const torch::Tensor& values, const std::string& target) {
    if (!torch::isfinite(values).all().item<bool>()) {
      return base::InvalidArgument("WEIGHTS_MISMATCH",
                                   absl::StrCat(init_.checkpoint, " holds values in ", weights::Quoted(view.name),
                                                " that are not finite. Choose another checkpoint."));
    }
    by_name_[target].copy_(values);
    taken_.push_back(target);
    return absl::OkStatus();
  }

  // A square grid of another size behind the same rows for tokens of no place.
  absl::Status Resize(const weights::FoundTensor& found) {
    const torch::Tensor own = by_name_[found.target];
    const auto grid = static_cast<int64_t>(std::sqrt(static_cast<double>(own.size(1))));
    const int64_t prefix = own.size(1) - grid * grid;
    if (found.file_shape.size() != 3 || found.file_shape[2] != own.size(2)) return absl::OkStatus();
    const int64_t cells = found.file_shape[1] - prefix;
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(cells, 0)))));
    if (side < 1 || side * side != cells) return absl::OkStatus();
    const auto view = std::find_if(checkpoint_.tensors().begin(), checkpoint_.tensors().end(),
                                   [&](const weights::TensorView& tensor) { return tensor.name == found.name; });
    resized_ = true;
    return Copy(*view, model::ResizePositionEmbedding(FloatsOf(*view), grid, grid, prefix, model::GridResize::kBicubic),
                found.target);
  }

  std::string Table(const model::ImportedConfig& imported) const {
    struct Count {
      int64_t taken = 0, seeded = 0;
    };
    std::map<std::string, Count> parts;
    for (const model::NamedTensor& tensor : blank_.tensors) {
      const bool taken = std::find(taken_.begin(), taken_.end(), tensor.name) != taken_.end();
      ++(taken ? parts[PartOf(tensor.name)].taken : parts[PartOf(tensor.name)].seeded);
    }
    std::string table = absl::StrFormat("%s: %s, names of %s\n%-32s %10s %10s\n", init_.checkpoint,
                                        checkpoint_.format(), mapping_.family, "part", "taken", "seeded");
    for (const auto& [part, count] : parts)
      absl::StrAppendFormat(&table, "%-32s %10d %10d\n", part, count.taken, count.seeded);
    for (const weights::FoundTensor& found : mapping_.findings) {
      if (found.what != weights::Finding::kMisshaped || !Wanted(found.target)) continue;
      const bool resized = resized_ && found.target == kPositions;
      const bool patches = linear_patches_ && found.target == kPatchProjection;
      absl::StrAppendFormat(&table, "%s is (%s) in the file and (%s) in the model: %s\n", weights::Quoted(found.name),
                            absl::StrJoin(found.file_shape, ", "), absl::StrJoin(found.model_shape, ", "),
                            resized   ? "resized"
                            : patches ? "taken as the linear patches; the stem's projection begins at zero"
                                      : "seeded");
    }
    for (const std::string& note : imported.notes()) absl::StrAppend(&table, note, "\n");
    return table;
  }

  const InitConfig& init_;
  const weights::Checkpoint& checkpoint_;
  Blank blank_;
  weights::NameMapping mapping_;
  std::map<std::string, torch::Tensor> by_name_;
  std::vector<std::string> taken_;
  bool resized_ = false;
  bool linear_patches_ = false;
};

}  // namespace

absl::StatusOr<StartingPoint> Initialise(const std::string& model_json, const std::optional<InitConfig>& init,
                                         uint64_t seed) {
  StartingPoint start;
  if (init.has_value()) {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto checkpoint, weights::ReadCheckpoint(init->checkpoint, {.key = init->key}));
    SIGHTLINE_RETURN_IF_ERROR(Taker(*init, *checkpoint).Run(model_json, seed, start));
    return start;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(Blank blank, BlankNetwork(model_json));
  model::InitialiseSeeded(blank.tensors, std::max(1, model::Facts(blank.config.backbone).blocks), seed);
  start.model_json = model_json;
  start.config = std::move(blank.config);
  start.network = std::move(blank.network);
  return start;
}

absl::StatusOr<FinishedNetwork> ReadNetwork(const std::string& directory) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(directory + "/model.json", kMostModelJson));
  FinishedNetwork finished;
  SIGHTLINE_ASSIGN_OR_RETURN(finished.config, model::ParseModelConfig(text));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto file, base::MappedFile::Open(directory + "/weights.safetensors", kMostWeights));
  SIGHTLINE_ASSIGN_OR_RETURN(weights::Safetensors stored, weights::ParseSafetensors(file->bytes(), {}));
  std::erase_if(stored.tensors, [](const weights::TensorView& tensor) { return tensor.name == "tokens.projection"; });
  finished.network =
      std::make_shared<model::Network>(finished.config.backbone, finished.config.head, finished.config.whitening);
  SIGHTLINE_RETURN_IF_ERROR(model::LoadTensors(stored, model::InferenceTensors(*finished.network)));
  return finished;
}

}  // namespace sightline::train
