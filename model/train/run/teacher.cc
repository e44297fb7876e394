#include "model/train/run/teacher.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/layers/layer.h"
#include "model/train/run/forward.h"
#include "model/train/run/pixels.h"

namespace sightline::train {

absl::StatusOr<std::unique_ptr<Teacher>> Teacher::Load(const std::string& directory, int size, int64_t layers,
                                                       torch::Device device) {
  SIGHTLINE_ASSIGN_OR_RETURN(FinishedNetwork finished, ReadNetwork(directory));
  const model::BackboneFacts facts = model::Facts(finished.config.backbone);
  if (facts.layers < layers) {
    return base::InvalidArgument(
        "TEACHER_UNFIT",
        absl::StrCat("teacher ", finished.config.name, " gives ", facts.layers,
                     " token sequences; distill.targets ask for ", layers, ". Choose another teacher or target."),
        {{"actual", absl::StrCat(facts.layers)}, {"limit", absl::StrCat(layers)}});
  }
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : finished.network->parameters()) parameter.set_requires_grad(false);
  finished.network->to(device);
  model::PlanInference(*finished.network);
  // make_unique cannot reach the constructor.
  return std::unique_ptr<Teacher>(new Teacher(std::move(finished), size, layers));
}

TeacherAnswer Teacher::Look(const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  const model::BackboneFacts facts = model::Facts(config().backbone);
  torch::Tensor images = Normalise(pixels, config().preprocess);
  const bool odd = facts.whole_cells && (images.size(2) % facts.stride != 0 || images.size(3) % facts.stride != 0);
  const int64_t side = size_ > 0 ? size_ : odd ? config().preprocess.image_size : 0;
  if (side > 0 && (images.size(2) != side || images.size(3) != side)) {
    namespace F = torch::nn::functional;
    images = F::interpolate(images, F::InterpolateFuncOptions()
                                        .size(std::vector<int64_t>{side, side})
                                        .mode(torch::kBilinear)
                                        .align_corners(false)
                                        .antialias(true));
  }
  ForwardResult result = ForwardNetwork(*finished_.network, config(), images, layers_);
  return {std::move(result.layers), std::move(result.descriptor)};
}

}  // namespace sightline::train
