#include "model/train/run/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "model/weights/safetensors.h"

namespace sightline::train {
namespace {

constexpr absl::string_view kStem = "checkpoint-";
constexpr absl::string_view kEnding = ".safetensors";
constexpr size_t kKept = 2;
// The largest architecture allowed with an average and two moments, and a loss of as many values.
constexpr int64_t kMostBytes = int64_t{12} << 30;
constexpr absl::string_view kFormat = "1";

std::string NameOf(int64_t step) { return absl::StrFormat("%s%09d%s", kStem, step, kEnding); }

// Newest first.
absl::StatusOr<std::vector<std::string>> CheckpointsIn(const std::string& out) {
  std::error_code error;
  if (!std::filesystem::is_directory(out, error)) return std::vector<std::string>();
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<std::string> names, base::ListFolder(out));
  std::erase_if(names, [](const std::string& name) {
    absl::string_view middle = name;
    int64_t step = 0;
    return !absl::ConsumePrefix(&middle, kStem) || !absl::ConsumeSuffix(&middle, kEnding) ||
           !absl::SimpleAtoi(middle, &step) || name != NameOf(step);
  });
  std::sort(names.rbegin(), names.rend());
  return names;
}

std::map<std::string, std::string> ToMetadata(const RunPosition& position) {
  return {{"format", std::string(kFormat)},
          {"step", absl::StrCat(position.step)},
          {"epoch", absl::StrCat(position.feed.epoch)},
          {"batch", absl::StrCat(position.feed.batch)},
          {"best_map", absl::StrFormat("%.17g", position.best_map)},
          {"best_step", absl::StrCat(position.best_step)},
          {"stale", absl::StrCat(position.stale)},
          {"config_sha256", position.config_sha256}};
}

absl::StatusOr<RunPosition> FromMetadata(const std::string& path, const std::map<std::string, std::string>& metadata) {
  RunPosition position;
  const auto text = [&metadata](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  position.config_sha256 = text("config_sha256");
  const bool whole =
      text("format") == kFormat && absl::SimpleAtoi(text("step"), &position.step) &&
      absl::SimpleAtoi(text("epoch"), &position.feed.epoch) && absl::SimpleAtoi(text("batch"), &position.feed.batch) &&
      absl::SimpleAtod(text("best_map"), &position.best_map) &&
      absl::SimpleAtoi(text("best_step"), &position.best_step) && absl::SimpleAtoi(text("stale"), &position.stale) &&
      position.step >= 0 && position.feed.epoch >= 0 && position.feed.batch >= 0;
  if (whole) return position;
  return base::InvalidArgument("MALFORMED_CHECKPOINT",
                               absl::StrCat(path, " does not say where the run was. Delete it."), {{"path", path}});
}

struct StoredFile {
  std::unique_ptr<base::MappedFile> file;
  weights::Safetensors parsed;
};

absl::StatusOr<StoredFile> OpenTensorFile(const std::string& path) {
  StoredFile stored;
  SIGHTLINE_ASSIGN_OR_RETURN(stored.file, base::MappedFile::Open(path, kMostBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(
      stored.parsed,
      weights::ParseSafetensors(stored.file->bytes(), {.max_header_bytes = 32 << 20, .max_tensors = 100'000}));
  return stored;
}

absl::StatusOr<RunPosition> RestoreOne(const std::string& path, const std::string& config_sha256,
                                       const std::vector<model::NamedTensor>& tensors) {
  SIGHTLINE_ASSIGN_OR_RETURN(const StoredFile stored, OpenTensorFile(path));
  SIGHTLINE_ASSIGN_OR_RETURN(RunPosition position, FromMetadata(path, stored.parsed.metadata));
  if (position.config_sha256 != config_sha256) {
    return base::FailedPrecondition(
        "CHECKPOINT_FOREIGN",
        absl::StrCat(path, " was made by another configuration. Go on with that one, or train into another folder."),
        {{"path", path}});
  }
  SIGHTLINE_RETURN_IF_ERROR(model::LoadTensors(stored.parsed, tensors));
  return position;
}

}  // namespace

absl::StatusOr<std::string> SerializeTensors(const std::vector<model::NamedTensor>& tensors, bool half,
                                             const std::map<std::string, std::string>& metadata) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> kept;  // while the views are in use
  std::vector<weights::TensorView> views;
  for (const model::NamedTensor& tensor : tensors) {
    const bool narrow = half && tensor.tensor.dim() > 1;
    kept.push_back(tensor.tensor.detach()
                       .to(torch::kCPU, narrow ? torch::kHalf : torch::kFloat)
                       .contiguous(torch::MemoryFormat::Contiguous));
    const torch::Tensor& values = kept.back();
    if (narrow && !torch::isfinite(values).all().item<bool>()) {
      return base::InvalidArgument(
          "FLOAT16_TOO_SMALL",
          absl::StrCat("tensor ", tensor.name, " holds a value that float16 cannot. Write the model without --fp16."));
    }
    views.push_back({tensor.name,
                     narrow ? weights::DType::kF16 : weights::DType::kF32,
                     values.sizes().vec(),
                     {static_cast<const char*>(values.data_ptr()), values.nbytes()}});
  }
  return weights::SerializeSafetensors(views, metadata);
}

absl::Status WriteTensorFile(const std::string& path, const std::vector<model::NamedTensor>& tensors,
                             const std::map<std::string, std::string>& metadata) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, SerializeTensors(tensors, /*half=*/false, metadata));
  return base::WriteFileDurably(path, bytes);
}

absl::Status ReadTensorFile(const std::string& path, const std::vector<model::NamedTensor>& tensors) {
  SIGHTLINE_ASSIGN_OR_RETURN(const StoredFile stored, OpenTensorFile(path));
  return model::LoadTensors(stored.parsed, tensors);
}

absl::Status SaveCheckpoint(const std::string& out, const RunPosition& position,
                            const std::vector<model::NamedTensor>& tensors) {
  SIGHTLINE_RETURN_IF_ERROR(
      WriteTensorFile(absl::StrCat(out, "/", NameOf(position.step)), tensors, ToMetadata(position)));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, CheckpointsIn(out));
  for (size_t i = kKept; i < names.size(); ++i) ::unlink(absl::StrCat(out, "/", names[i]).c_str());
  return absl::OkStatus();
}

absl::StatusOr<bool> HasCheckpoint(const std::string& out) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, CheckpointsIn(out));
  return !names.empty();
}

absl::StatusOr<std::optional<RunPosition>> RestoreCheckpoint(const std::string& out, const std::string& config_sha256,
                                                             const std::vector<model::NamedTensor>& tensors) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, CheckpointsIn(out));
  absl::Status newest;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(out, "/", name);
    absl::StatusOr<RunPosition> position = RestoreOne(path, config_sha256, tensors);
    if (position.ok()) return std::optional(*std::move(position));
    if (position.status().code() != absl::StatusCode::kInvalidArgument) return position.status();
    base::Log(base::Severity::kWarning, "a checkpoint cannot be used; the one before it is tried",
              {{"path", path}, {"error", std::string(position.status().message())}});
    if (newest.ok()) newest = position.status();
  }
  if (!newest.ok()) return newest;
  return std::nullopt;
}

}  // namespace sightline::train
