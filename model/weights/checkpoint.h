// Checkpoint: the named tensors of a file of weights, whichever of the usual formats it has: safetensors, the zip
// archive of torch.save, and its older form (a row of pickles and raw storages). Nothing in a file is run.
//
// A pickled file may hold its state dict as it is or under a key ("state_dict", "model", ...); the one that is meant is
// found, and `wrapper` says where. Names are as the file has them.
//
// Threading: pure functions. Ownership: tensors view the mapped file, or copies that the Checkpoint owns where the file
// has them in another order than row by row; no more bytes are copied than the file has. Failure: INVALID_ARGUMENT with
// reason MALFORMED_WEIGHTS or UNKNOWN_CHECKPOINT and one sentence; what base::MappedFile says of the file itself.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto checkpoint, ReadCheckpoint(path, {}));
//   for (const TensorView& tensor : checkpoint->tensors()) Use(tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
#ifndef SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_H_
#define SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "model/weights/safetensors.h"

namespace sightline::weights {

struct CheckpointOptions {
  // The key of the state dict, dots between levels; empty: the usual ones are tried.
  std::string key = {};
  // A training checkpoint of the largest model allowed, with two optimiser states.
  int64_t max_bytes = int64_t{12} << 30;
  size_t max_tensors = 20'000;
};

class Checkpoint {
 public:
  // "safetensors", "PyTorch zip", "PyTorch legacy".
  const std::string& format() const { return format_; }
  // Where in a pickled file the tensors are: "state_dict", "model.net"; empty for the file itself.
  const std::string& wrapper() const { return wrapper_; }
  // Sorted by name.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  // What the file says about itself: of a pickled file the plain values under "meta", of safetensors its metadata.
  const nlohmann::json& meta() const { return meta_; }
  // Tensors and arrays under "meta", by dotted path without it: "Lw.retrieval-SfM-120k.ss.P".
  const std::vector<TensorView>& meta_tensors() const { return meta_tensors_; }
  // The whole file.
  absl::string_view bytes() const { return bytes_; }

 private:
  friend class CheckpointReader;
  friend absl::StatusOr<std::unique_ptr<Checkpoint>> ReadCheckpoint(const std::string&, const CheckpointOptions&);
  friend absl::StatusOr<std::unique_ptr<Checkpoint>> ParseCheckpoint(absl::string_view, const CheckpointOptions&);
  std::unique_ptr<base::MappedFile> file_;
  absl::string_view bytes_;
  std::deque<std::string> owned_;    // tensors in the order of their rows
  std::deque<std::string> decoded_;  // arrays that the pickle holds as texts
  std::string format_;
  std::string wrapper_;
  std::vector<TensorView> tensors_;
  nlohmann::json meta_;
  std::vector<TensorView> meta_tensors_;
};

absl::StatusOr<std::unique_ptr<Checkpoint>> ReadCheckpoint(const std::string& path, const CheckpointOptions& options);

// The same from bytes, which must outlive the result.
absl::StatusOr<std::unique_ptr<Checkpoint>> ParseCheckpoint(absl::string_view bytes, const CheckpointOptions& options);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_H_
