#include "model/train/whitening.h"

#include <torch/torch.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/principal_axes.h"

namespace sightline::train {
namespace {

// Rows converted to double at a time: 64 MiB at N = 2048.
constexpr int64_t kRowsAtOnce = 4096;

absl::Status NoFit(absl::string_view reason, const std::string& text) { return base::InvalidArgument(reason, text); }

absl::Status CheckInput(const Descriptors& descriptors, int64_t out) {
  if (descriptors.count < 1 || descriptors.dim < 1) {
    return NoFit("WHITENING_EMPTY", "there are no descriptors to fit a whitening to. Give at least two images.");
  }
  if (out < 1 || out > descriptors.dim) {
    return NoFit("WHITENING_DIM",
                 absl::StrCat("a whitening to ", out, " dimensions is asked for; the descriptors have ",
                              descriptors.dim, ". Ask for 1 to ", descriptors.dim, "."));
  }
  return absl::OkStatus();
}

// Rows as float64: (rows.size(), N).
torch::Tensor Rows(const Descriptors& from, absl::Span<const int64_t> rows) {
  torch::Tensor values = torch::empty({static_cast<int64_t>(rows.size()), from.dim}, torch::kFloat);
  const size_t bytes = static_cast<size_t>(from.dim) * sizeof(float);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(values.data_ptr<float>() + i * static_cast<size_t>(from.dim),
                from.bytes.data() + static_cast<size_t>(rows[i]) * bytes, bytes);
  }
  return values.to(torch::kDouble);
}

torch::Tensor Rows(const Descriptors& from, int64_t first, int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) rows[static_cast<size_t>(i)] = first + i;
  return Rows(from, rows);
}

// Calls use(rows) for all descriptors, a block at a time.
template <typename Use>
void ForBlocks(const Descriptors& descriptors, Use use) {
  for (int64_t first = 0; first < descriptors.count; first += kRowsAtOnce) {
    use(Rows(descriptors, first, std::min(kRowsAtOnce, descriptors.count - first)));
  }
}

// (X - m)^T (X - m) / n over all descriptors: (N, N).
torch::Tensor Covariance(const Descriptors& descriptors, const torch::Tensor& mean) {
  torch::Tensor sum = torch::zeros({descriptors.dim, descriptors.dim}, torch::kDouble);
  ForBlocks(descriptors, [&](const torch::Tensor& rows) {
    const torch::Tensor centred = rows - mean;
    sum.addmm_(centred.t(), centred);
  });
  return sum / static_cast<double>(descriptors.count);
}

absl::Status CheckFinite(const torch::Tensor& tensor) {
  if (torch::isfinite(tensor).all().item<bool>()) return absl::OkStatus();
  return NoFit("WHITENING_NOT_FINITE",
               "the descriptors hold values that are not finite. Embed the images again with a working model.");
}

// From m, all rows of P and the variances along them to what is kept.
WhiteningFit Keep(const torch::Tensor& mean, const torch::Tensor& projection, const torch::Tensor& variances,
                  int64_t out) {
  const torch::Tensor kept = variances.narrow(0, 0, out);
  WhiteningFit fit;
  fit.in = mean.size(0);
  fit.out = out;
  fit.mean = Floats(mean);
  fit.projection = Floats(projection.narrow(0, 0, out));
  fit.kept_variance = (kept.sum() / torch::clamp_min(variances, 0).sum()).item<double>();
  return fit;
}

absl::StatusOr<WhiteningFit> FitPca(const Descriptors& descriptors, int64_t out) {
  torch::Tensor mean = torch::zeros({descriptors.dim}, torch::kDouble);
  ForBlocks(descriptors, [&](const torch::Tensor& rows) { mean += rows.sum(0); });
  mean /= static_cast<double>(descriptors.count);
  const torch::Tensor covariance = Covariance(descriptors, mean);
  SIGHTLINE_RETURN_IF_ERROR(CheckFinite(covariance));
  const Axes axes = PrincipalAxes(covariance);
  if (const int64_t usable = UsableAxes(axes); usable < out) {
    return NoFit("WHITENING_DIM",
                 absl::StrCat("a whitening to ", out, " dimensions is asked for; the ", descriptors.count,
                              " descriptors vary in ", usable, ". Ask for at most that, or give more images."));
  }
  const torch::Tensor scale = torch::rsqrt(axes.values.narrow(0, 0, out)).unsqueeze(1);
  return Keep(mean, axes.vectors.narrow(0, 0, out) * scale, axes.values, out);
}

// The inverse of the lower Cholesky factor of `matrix` with as little on its diagonal as makes it positive definite.
torch::Tensor InverseFactor(const torch::Tensor& matrix) {
  const torch::Tensor identity = torch::eye(matrix.size(0), torch::kDouble);
  constexpr double kFirst = 1e-10, kStep = 10;
  for (double added = 0;; added = added == 0 ? kFirst : added * kStep) {
    const auto [factor, info] = at::linalg_cholesky_ex(matrix + added * identity);
    if (info.item<int>() == 0) return at::linalg_solve_triangular(factor, identity, /*upper=*/false);
  }
}

absl::StatusOr<WhiteningFit> FitLearned(const Descriptors& descriptors, absl::Span<const Pair> pairs, int64_t out) {
  torch::Tensor mean = torch::zeros({descriptors.dim}, torch::kDouble);
  torch::Tensor differences = torch::zeros({descriptors.dim, descriptors.dim}, torch::kDouble);
  for (size_t first = 0; first < pairs.size(); first += kRowsAtOnce) {
    std::vector<int64_t> left, right;
    for (const Pair& pair : pairs.subspan(first, kRowsAtOnce)) {
      left.push_back(pair.first);
      right.push_back(pair.second);
    }
    const torch::Tensor queries = Rows(descriptors, left);
    const torch::Tensor difference = queries - Rows(descriptors, right);
    mean += queries.sum(0);
    differences.addmm_(difference.t(), difference);
  }
  mean /= static_cast<double>(pairs.size());
  differences /= static_cast<double>(pairs.size());
  SIGHTLINE_RETURN_IF_ERROR(CheckFinite(differences));
  const torch::Tensor white = InverseFactor(differences);
  const torch::Tensor spread = white.matmul(Covariance(descriptors, mean)).matmul(white.t());
  SIGHTLINE_RETURN_IF_ERROR(CheckFinite(spread));
  const Axes axes = PrincipalAxes(spread);
  return Keep(mean, axes.vectors.matmul(white), axes.values, out);
}

template <typename Fit>
absl::StatusOr<WhiteningFit> Guarded(Fit fit) {
  return GuardFit("a whitening", "WHITENING_FAILED", fit);
}

}  // namespace

absl::StatusOr<WhiteningFit> FitPcaWhitening(const Descriptors& descriptors, int64_t out) {
  SIGHTLINE_RETURN_IF_ERROR(CheckInput(descriptors, out));
  return Guarded([&] { return FitPca(descriptors, out); });
}

absl::StatusOr<WhiteningFit> FitLearnedWhitening(const Descriptors& descriptors, absl::Span<const Pair> pairs,
                                                 int64_t out) {
  SIGHTLINE_RETURN_IF_ERROR(CheckInput(descriptors, out));
  if (pairs.empty()) {
    return NoFit("WHITENING_PAIRS",
                 "no two images are said to show the same thing. Put images of one thing into one folder, name the "
                 "attribute that says it, or fit by PCA.");
  }
  return Guarded([&] { return FitLearned(descriptors, pairs, out); });
}

}  // namespace sightline::train
