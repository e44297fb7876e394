#include "model/train/run/distill.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "model/layers/norm.h"
#include "model/train/loss/pairs.h"

namespace sightline::train {
namespace {

torch::Tensor Compare(DistillMetric metric, const torch::Tensor& own, const torch::Tensor& other) {
  const torch::Tensor student = AtLeastFloat(own);
  const torch::Tensor teacher = AtLeastFloat(other);
  switch (metric) {
    case DistillMetric::kSmoothL1: return torch::smooth_l1_loss(student, teacher);
    case DistillMetric::kMse: return torch::mse_loss(student, teacher);
    case DistillMetric::kCosine: break;
  }
  return 1 - torch::cosine_similarity(student, teacher, -1, 1e-8).mean();
}

// (B * (B - 1)) cosines: the matrix without its diagonal.
torch::Tensor Cosines(const torch::Tensor& descriptors) {
  const torch::Tensor unit = model::L2(descriptors);
  const int64_t count = unit.size(0);
  const torch::Tensor all = torch::matmul(unit, unit.t()).flatten();
  // Behind each diagonal value come `count` others up to the next one.
  return all.narrow(0, 1, all.size(0) - 1).view({count - 1, count + 1}).narrow(1, 0, count).reshape({-1});
}

torch::Tensor RelativeDistances(const torch::Tensor& descriptors) {
  // 2 - 2 cos of unit vectors; the floor keeps the root's gradient finite.
  const torch::Tensor distances = (2 - 2 * Cosines(descriptors)).clamp_min(1e-8).sqrt();
  return distances / distances.mean();
}

// (B, B, B) cosines of the angle at j between i - j and k - j.
torch::Tensor Angles(const torch::Tensor& descriptors) {
  const torch::Tensor unit = model::L2(descriptors);
  const torch::Tensor differences = unit.unsqueeze(0) - unit.unsqueeze(1);
  const torch::Tensor directions = differences / differences.norm(2, -1, true).clamp_min(1e-8);
  return torch::bmm(directions, directions.transpose(1, 2));
}

std::string Shape(const torch::Tensor& tensor) { return absl::StrCat("(", absl::StrJoin(tensor.sizes(), ", "), ")"); }

absl::Status CheckTokens(const ForwardResult& student, const TeacherAnswer& teacher, size_t layers) {
  if (student.layers.size() < layers || teacher.layers.size() < layers) {
    return base::InvalidArgument(
        "TEACHER_UNFIT",
        absl::StrCat("distill.targets compare ", layers, " token sequences; the student gives ", student.layers.size(),
                     " and the teacher ", teacher.layers.size(), ". Choose another target, or models of tokens."));
  }
  const torch::Tensor& own = student.layers.back();
  const torch::Tensor& other = teacher.layers.back();
  if (own.sizes() == other.sizes()) return absl::OkStatus();
  return base::InvalidArgument(
      "TEACHER_UNFIT",
      absl::StrCat("the tokens of the student are ", Shape(own.select(0, 0)),
                   " for a photograph, those of the teacher ", Shape(other.select(0, 0)),
                   "; the target compares them one by one. Choose models of equal widths and grids, set distill.size, "
                   "or use the target descriptor or similarity."),
      {{"student", Shape(own)}, {"teacher", Shape(other)}});
}

}  // namespace

int64_t LayersWanted(const DistillConfig& config) {
  int64_t layers = 0;
  for (const DistillTarget& target : config.targets) {
    if (target.kind == DistillKind::kTokens) layers = std::max<int64_t>(layers, 1);
    if (target.kind == DistillKind::kLayers) layers = std::max<int64_t>(layers, target.layers);
  }
  return layers;
}

absl::Status CheckShapes(const DistillConfig& config, const ForwardResult& student, const TeacherAnswer& teacher) {
  if (const auto layers = static_cast<size_t>(LayersWanted(config)); layers > 0) {
    SIGHTLINE_RETURN_IF_ERROR(CheckTokens(student, teacher, layers));
  }
  for (const DistillTarget& target : config.targets) {
    const int64_t own = student.descriptor.size(1);
    const int64_t other = teacher.descriptor.size(1);
    if (target.kind != DistillKind::kDescriptor || own == other) continue;
    return base::InvalidArgument(
        "TEACHER_UNFIT",
        absl::StrCat("descriptors of the student have ", own, " values, those of the teacher ", other,
                     "; the target descriptor compares them. Use the target "
                     "similarity, or models of equal sizes."),
        {{"student", absl::StrCat(own)}, {"teacher", absl::StrCat(other)}});
  }
  return absl::OkStatus();
}

torch::Tensor DistillLoss(const DistillTarget& target, const ForwardResult& student, const TeacherAnswer& teacher) {
  const FullPrecision full_precision;
  const bool of_pairs = target.kind == DistillKind::kSimilarity || target.kind == DistillKind::kDistances;
  if (of_pairs && student.descriptor.size(0) < 2) return student.descriptor.sum() * 0;
  const auto related = [&](auto relation) {
    return Compare(target.metric, relation(AtLeastFloat(student.descriptor)),
                   relation(AtLeastFloat(teacher.descriptor)));
  };
  switch (target.kind) {
    case DistillKind::kDescriptor: return related([](const torch::Tensor& x) { return model::L2(x); });
    case DistillKind::kSimilarity: return related(Cosines);
    case DistillKind::kDistances: return related(RelativeDistances);
    case DistillKind::kAngles: return related(Angles);
    case DistillKind::kTokens:
    case DistillKind::kLayers: break;
  }
  const auto layers = static_cast<size_t>(target.kind == DistillKind::kLayers ? target.layers : 1);
  torch::Tensor sum;
  for (size_t back = 1; back <= layers; ++back) {
    const torch::Tensor one = Compare(target.metric, student.layers[student.layers.size() - back],
                                      teacher.layers[teacher.layers.size() - back]);
    sum = sum.defined() ? sum + one : one;
  }
  return sum / static_cast<double>(layers);
}

}  // namespace sightline::train
