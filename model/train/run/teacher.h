// Teacher: a finished model whose tokens and descriptors the student learns to give.
//
// It looks at the pixels that the student sees, with its own mean and deviation, by the planned path of inference and
// without gradients.
//
// Threading: one thread at a time. Ownership: its network. Failure: Status of the model's files; LibTorch's exceptions.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto teacher, Teacher::Load(config.distill->teacher, 0, 1, torch::kCPU));
//   const TeacherAnswer answer = teacher->Look(pixels);
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_TEACHER_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_TEACHER_H_

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/run/initialise.h"

namespace sightline::train {

struct TeacherAnswer {
  std::vector<torch::Tensor> layers;  // the last ones asked for, oldest first, (B, T, D)
  torch::Tensor descriptor;           // (B, N), before the last L2 normalisation
};

class Teacher {
 public:
  // `size` is the side of the square that it sees, 0 for what it is given, or its own image_size where its patches do
  // not cut that evenly; `layers` is how many token sequences it gives, 0 for none.
  static absl::StatusOr<std::unique_ptr<Teacher>> Load(const std::string& directory, int size, int64_t layers,
                                                       torch::Device device);

  // `pixels` are (B, 3, H, W) bytes.
  TeacherAnswer Look(const torch::Tensor& pixels);

  const model::ModelConfig& config() const { return finished_.config; }

 private:
  Teacher(FinishedNetwork finished, int size, int64_t layers)
      : finished_(std::move(finished)), size_(size), layers_(layers) {}

  FinishedNetwork finished_;
  const int size_;
  const int64_t layers_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_TEACHER_H_
