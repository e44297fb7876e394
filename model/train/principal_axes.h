// Principal axes of a symmetric matrix, for fits by PCA.
//
// Threading: pure functions; LibTorch's threads inside. Failure: LibTorch's exceptions, which GuardFit turns into a
// Status.
//
//   return GuardFit("a whitening", "WHITENING_FAILED", [&]() -> absl::StatusOr<Fit> { ... PrincipalAxes(c) ... });
#ifndef SIGHTLINE_MODEL_TRAIN_PRINCIPAL_AXES_H_
#define SIGHTLINE_MODEL_TRAIN_PRINCIPAL_AXES_H_

#include <torch/torch.h>

#include <exception>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sightline::train {

struct Axes {
  torch::Tensor values;        // (N), descending
  torch::Tensor vectors = {};  // (N, N), rows
};

// A vector's largest entry is positive, so that the same data always give the same result.
Axes PrincipalAxes(const torch::Tensor& matrix);

// In single precision, row-major.
std::vector<float> Floats(const torch::Tensor& tensor);

// A share of the variance that can be rounding.
inline constexpr double kLeastShare = 1e-10;
// How many axes have more of the variance than that.
int64_t UsableAxes(const Axes& axes);

// fit(), a StatusOr; INTERNAL with `reason` where LibTorch throws.
template <typename Fit>
auto GuardFit(absl::string_view what, absl::string_view reason, Fit fit) -> decltype(fit()) {
  try {
    const torch::NoGradGuard no_grad;
    return fit();
  } catch (const std::exception& error) {
    const absl::string_view text = error.what();
    return base::Error(absl::StatusCode::kInternal, reason,
                       absl::StrCat("fitting ", what, " failed inside LibTorch: ", text.substr(0, text.find('\n')),
                                    ". Check that a LAPACK library is installed."));
  }
}

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_PRINCIPAL_AXES_H_
