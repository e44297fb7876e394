#include "model/weights/import.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/config/model_config.h"
#include "model/registry.h"
#include "model/weights/checkpoint.h"
#include "model/weights/import_config.h"
#include "model/weights/load.h"
#include "model/weights/model_folder.h"
#include "model/weights/name_map.h"
#include "model/weights/seeded_init.h"
#include "model/weights/strict_json.h"

namespace sightline::model {
namespace {

constexpr int64_t kMaxModelJson = 1 << 20;
constexpr absl::string_view kTokenProjection = "tokens.projection";

// What the model has to be given: its tensors, and the projection where it is stored.
struct Needed {
  ModelConfig config;
  std::shared_ptr<Network> network;
  std::vector<NamedTensor> tensors;
  std::vector<weights::TensorShape> shapes;
};

absl::StatusOr<Needed> NeededBy(const std::string& model_json) {
  Needed needed;
  SIGHTLINE_ASSIGN_OR_RETURN(needed.config, ParseModelConfig(model_json));
  needed.network = std::make_shared<Network>(needed.config.backbone, needed.config.head, needed.config.whitening);
  needed.tensors = InferenceTensors(*needed.network);
  for (const NamedTensor& tensor : needed.tensors) {
    needed.shapes.push_back({tensor.name, tensor.tensor.sizes().vec()});
  }
  if (needed.config.tokens.projection == TokenProjection::kStored) {
    needed.shapes.push_back(
        {std::string(kTokenProjection), {Facts(needed.config.backbone).dim, needed.config.tokens.dim}});
  }
  return needed;
}

std::string Shape(const std::vector<int64_t>& shape) { return absl::StrCat("(", absl::StrJoin(shape, ", "), ")"); }

// Names are the file's; they may hold anything.
std::string Printable(const std::string& name) {
  const std::string quoted = weights::Quoted(name);
  const bool plain = quoted.size() == name.size() + 2;
  return plain ? name : quoted;
}

class Importer {
 public:
  Importer(const ImportOptions& options, ImportedConfig config) : options_(options), config_(std::move(config)) {}

  absl::StatusOr<ImportReport> Run() {
    SIGHTLINE_ASSIGN_OR_RETURN(checkpoint_, weights::ReadCheckpoint(options_.checkpoint, {.key = options_.key}));
    config_.TakeMeta(checkpoint_->meta());
    tensors_ = checkpoint_->tensors();
    SIGHTLINE_RETURN_IF_ERROR(TakeWhitening());
    SIGHTLINE_RETURN_IF_ERROR(Map());
    if (config_.TakeGrid(mapping_)) SIGHTLINE_RETURN_IF_ERROR(Map());
    Describe();
    if (report_.fits) SIGHTLINE_RETURN_IF_ERROR(Write());
    return report_;
  }

 private:
  absl::Status Map() {
    SIGHTLINE_ASSIGN_OR_RETURN(needed_, NeededBy(config_.Text()));
    mapping_ = weights::MapNames(tensors_, needed_.shapes, std::string(TypeName(needed_.config.head)));
    return absl::OkStatus();
  }

  // The whitening asked for, under the names it has here. Without one, a note says which there are.
  absl::Status TakeWhitening() {
    constexpr absl::string_view kMean = ".m", kProjection = ".P", kTable = "Lw.";
    std::vector<std::string> there;
    for (const weights::TensorView& tensor : checkpoint_->meta_tensors()) {
      absl::string_view name = tensor.name;
      if (absl::ConsumePrefix(&name, kTable) && absl::ConsumeSuffix(&name, kProjection)) there.emplace_back(name);
    }
    if (options_.whitening.empty()) {
      if (!there.empty()) {
        config_.AddNote(absl::StrCat("the file has learned whitenings, of which --whitening NAME takes one: ",
                                     absl::StrJoin(there, ", ")));
      }
      return absl::OkStatus();
    }
    int found = 0;
    for (weights::TensorView tensor : checkpoint_->meta_tensors()) {
      const bool mean = tensor.name == absl::StrCat(kTable, options_.whitening, kMean);
      if (!mean && tensor.name != absl::StrCat(kTable, options_.whitening, kProjection)) continue;
      if (!mean && !tensor.shape.empty()) config_.SetWhitening(tensor.shape[0]);
      tensor.name = mean ? "whitening.mean" : "whitening.projection";
      tensors_.push_back(std::move(tensor));
      ++found;
    }
    if (found == 2) return absl::OkStatus();
    return base::InvalidArgument(
        "WHITENING_MISSING",
        absl::StrCat(
            "the checkpoint has no whitening ", weights::Quoted(options_.whitening), ". ",
            there.empty() ? "Leave --whitening out." : absl::StrCat("Give one of: ", absl::StrJoin(there, ", "), ".")));
  }

  bool OfHead(absl::string_view name) const {
    return absl::StartsWith(name, absl::StrCat(TypeName(needed_.config.head), "."));
  }

  ImportFinding Judge(const weights::FoundTensor& found) {
    ImportFinding finding{.key = Printable(found.name), .file_shape = "-", .model_shape = "-", .what = ""};
    if (found.what != weights::Finding::kMissing) finding.file_shape = Shape(found.file_shape);
    if (!found.target.empty()) finding.model_shape = Shape(found.model_shape);
    switch (found.what) {
      case weights::Finding::kIgnored: finding.what = absl::StrCat("ignored: ", found.reason); return finding;
      case weights::Finding::kUnexpected:
        finding.what = options_.allow_unexpected ? "ignored: unexpected" : "unexpected";
        finding.problem = !options_.allow_unexpected;
        return finding;
      case weights::Finding::kMisshaped: finding.what = "misshaped"; break;
      case weights::Finding::kMissing: finding.what = "missing"; break;
    }
    finding.problem = !(options_.partial && OfHead(found.target));
    if (!finding.problem) {
      finding.what = absl::StrCat("seeded: ", finding.what);
      seeded_.insert(found.target);
    }
    return finding;
  }

  void Describe() {
    report_.format = checkpoint_->format();
    report_.wrapper = checkpoint_->wrapper();
    report_.names =
        mapping_.prefix.empty() ? mapping_.family : absl::StrCat(mapping_.family, " behind ", mapping_.prefix);
    report_.sha256 = base::Sha256Hex(checkpoint_->bytes());
    report_.tensors = static_cast<int64_t>(mapping_.tensors.size());
    for (const weights::FoundTensor& found : mapping_.findings) report_.findings.push_back(Judge(found));
    std::stable_sort(report_.findings.begin(), report_.findings.end(),
                     [](const ImportFinding& a, const ImportFinding& b) { return a.problem > b.problem; });
    report_.notes = config_.notes();
    report_.fits =
        !mapping_.tensors.empty() && std::none_of(report_.findings.begin(), report_.findings.end(),
                                                  [](const ImportFinding& finding) { return finding.problem; });
  }

  // Every tensor the model needs, as float32: the file's, and seeded ones for a head that the file does not have.
  absl::StatusOr<std::string> WeightsFile() {
    if (!seeded_.empty()) {
      InitialiseSeeded(needed_.tensors, std::max(1, Facts(needed_.config.backbone).layers), needed_.config.seed);
    }
    std::map<std::string, size_t> sources;
    for (const weights::MappedTensor& tensor : mapping_.tensors) sources[tensor.target] = tensor.source;
    std::map<std::string, const NamedTensor*> own;
    for (const NamedTensor& tensor : needed_.tensors) own[tensor.name] = &tensor;
    std::vector<std::vector<float>> values;
    std::vector<weights::TensorView> views;
    for (const weights::TensorShape& needed : needed_.shapes) {
      if (const auto source = sources.find(needed.name); source != sources.end()) {
        const weights::TensorView& stored = tensors_[source->second];
        values.emplace_back(stored.bytes.size() / static_cast<size_t>(weights::DTypeBytes(stored.dtype)));
        weights::ToFloats(stored.dtype, stored.bytes, absl::MakeSpan(values.back()));
      } else {
        const torch::Tensor seeded = own.at(needed.name)->tensor.contiguous();
        values.emplace_back(seeded.data_ptr<float>(), seeded.data_ptr<float>() + seeded.numel());
      }
      const absl::string_view bytes(reinterpret_cast<const char*>(values.back().data()),
                                    values.back().size() * sizeof(float));
      views.push_back({needed.name, weights::DType::kF32, needed.shape, bytes});
    }
    return weights::SerializeSafetensors(views, {});
  }

  absl::Status Write() {
    const SourceConfig source{std::filesystem::path(options_.checkpoint).filename().string(), report_.sha256,
                              report_.format, report_.wrapper, mapping_.family};
    const std::vector<std::string> parts =
        seeded_.empty() ? std::vector<std::string>() : std::vector{std::string(TypeName(needed_.config.head))};
    config_.SetSource(source, parts);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string weights_file, WeightsFile());
    SIGHTLINE_ASSIGN_OR_RETURN(auto folder, ModelFolder::Begin(options_.out, options_.force));
    SIGHTLINE_RETURN_IF_ERROR(folder->Write("weights.safetensors", weights_file));
    SIGHTLINE_RETURN_IF_ERROR(folder->Write("model.json", config_.Text()));
    SIGHTLINE_ASSIGN_OR_RETURN(const auto model, Model::Load(folder->path(), {.allow_untrained = !parts.empty()}));
    report_.info = model->info();
    return folder->Commit();
  }

  const ImportOptions& options_;
  ImportedConfig config_;
  std::unique_ptr<weights::Checkpoint> checkpoint_;
  std::vector<weights::TensorView> tensors_;  // the checkpoint's, and the whitening's
  Needed needed_;
  weights::NameMapping mapping_;
  std::set<std::string> seeded_;
  ImportReport report_;
};

}  // namespace

absl::StatusOr<ImportReport> ImportCheckpoint(const ImportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(ModelFolder::CheckFree(options.out, options.force));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(options.model_json, kMaxModelJson));
  SIGHTLINE_ASSIGN_OR_RETURN(ImportedConfig config, ImportedConfig::Parse(text));
  try {
    return Importer(options, std::move(config)).Run();
  } catch (const std::exception& error) {
    const absl::string_view said = error.what();
    return base::Error(absl::StatusCode::kInternal, "MODEL_FAILED",
                       absl::StrCat("building the model failed inside LibTorch: ", said.substr(0, said.find('\n')),
                                    ". Report this with the model's name."));
  }
}

}  // namespace sightline::model
