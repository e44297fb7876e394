#include "model/train/token_pca.h"

#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/principal_axes.h"

namespace sightline::train {
namespace {

// A copy as float64: (rows, columns).
torch::Tensor Matrix(absl::Span<const float> values, int64_t rows, int64_t columns) {
  // from_blob takes what it only reads by a pointer to non-const.
  auto* const data = const_cast<float*>(values.data());
  return torch::from_blob(data, {rows, columns}, torch::kFloat).to(torch::kDouble);
}

torch::Tensor UnitRows(const torch::Tensor& rows) {
  constexpr double kLeastNorm = 1e-12;
  return rows / rows.norm(2, 1, /*keepdim=*/true).clamp_min(kLeastNorm);
}

}  // namespace

TokenMoments::TokenMoments(int64_t dim) : dim_(dim), sum_(static_cast<size_t>(dim * dim)) {}

void TokenMoments::Add(absl::Span<const float> tokens) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = static_cast<int64_t>(tokens.size()) / dim_;
  const torch::Tensor values = Matrix(tokens, rows, dim_);
  torch::from_blob(sum_.data(), {dim_, dim_}, torch::kDouble).addmm_(values.t(), values);
  count_ += rows;
}

absl::StatusOr<TokenBasis> TokenMoments::Fit(int64_t out) const {
  return GuardFit("a projection", "TOKENS_FAILED", [&]() -> absl::StatusOr<TokenBasis> {
    auto* const data = const_cast<double*>(sum_.data());
    const Axes axes = PrincipalAxes(torch::from_blob(data, {dim_, dim_}, torch::kDouble));
    if (const int64_t usable = UsableAxes(axes); usable < out) {
      return base::InvalidArgument(
          "TOKENS_DIM",
          absl::StrCat("tokens of ", out, " dimensions are asked for; the ", count_, " tokens to fit to fill ", usable,
                       ". Ask for at most that, or give more images."),
          {{"actual", absl::StrCat(out)}, {"limit", absl::StrCat(usable)}});
    }
    TokenBasis basis{.in = dim_, .out = out, .matrix = Floats(axes.vectors.narrow(0, 0, out).t())};
    basis.kept_energy = (axes.values.narrow(0, 0, out).sum() / axes.values.clamp_min(0).sum()).item<double>();
    return basis;
  });
}

CosineAgreement CompareCosines(absl::Span<const float> tokens, absl::Span<const float> projection, int64_t in,
                               int64_t out) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = static_cast<int64_t>(tokens.size()) / in;
  const torch::Tensor before = Matrix(tokens, rows, in);
  const torch::Tensor after = UnitRows(before.matmul(Matrix(projection, in, out)));
  const torch::Tensor pairs = torch::triu_indices(rows, rows, /*offset=*/1);
  const auto cosines = [&](const torch::Tensor& t) { return t.matmul(t.t()).index({pairs[0], pairs[1]}); };
  const torch::Tensor x = cosines(before);
  const torch::Tensor y = cosines(after);
  CosineAgreement agreement;
  agreement.mean_difference = (y - x).abs().mean().item<double>();
  const torch::Tensor dx = x - x.mean();
  const torch::Tensor dy = y - y.mean();
  agreement.correlation = ((dx * dy).sum() / (dx.norm() * dy.norm()).clamp_min(1e-300)).item<double>();
  return agreement;
}

std::vector<float> Product(absl::Span<const float> a, absl::Span<const float> b, int64_t rows, int64_t inner,
                           int64_t columns) {
  const torch::NoGradGuard no_grad;
  return Floats(Matrix(a, rows, inner).matmul(Matrix(b, inner, columns)));
}

}  // namespace sightline::train
