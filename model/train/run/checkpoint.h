// Checkpoints of a training run: OUT/checkpoint-STEP.safetensors, one file each, written beside its place and moved
// there, so that whatever ends the process leaves the last whole one. The newest two are kept.
//
// A file holds the tensors of network, average, loss and optimiser under names that begin with "network/", "average/",
// "loss/" and "optimiser/", and where the run was in its metadata. Random numbers need no state: every step draws from
// its own seed.
//
// Threading: one thread at a time. Failure: Status that names the file.
//
//   SIGHTLINE_RETURN_IF_ERROR(SaveCheckpoint(out, position, tensors));
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto position, RestoreCheckpoint(out, config_sha256, tensors));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_CHECKPOINT_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/run/feed.h"
#include "model/weights/load.h"

namespace sightline::train {

struct RunPosition {
  int64_t step = 0;  // done
  FeedPosition feed;
  double best_map = -1;  // of all validations; -1 before the first
  int64_t best_step = -1;
  int64_t stale = 0;  // validations since then
  std::string config_sha256;
};

absl::Status SaveCheckpoint(const std::string& out, const RunPosition& position,
                            const std::vector<model::NamedTensor>& tensors);

// Fills `tensors` from the newest checkpoint in `out` that is whole. nullopt where there is none at all;
// FAILED_PRECONDITION where it was made by another configuration.
absl::StatusOr<std::optional<RunPosition>> RestoreCheckpoint(const std::string& out, const std::string& config_sha256,
                                                             const std::vector<model::NamedTensor>& tensors);

// Whether `out` holds any.
absl::StatusOr<bool> HasCheckpoint(const std::string& out);

// A file of tensors, written durably; and back.
absl::Status WriteTensorFile(const std::string& path, const std::vector<model::NamedTensor>& tensors,
                             const std::map<std::string, std::string>& metadata);
absl::Status ReadTensorFile(const std::string& path, const std::vector<model::NamedTensor>& tensors);

// The bytes of such a file, float32; with `half` what has two dimensions or more is float16. INVALID_ARGUMENT where a
// value is too large for that.
absl::StatusOr<std::string> SerializeTensors(const std::vector<model::NamedTensor>& tensors, bool half,
                                             const std::map<std::string, std::string>& metadata);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_CHECKPOINT_H_
