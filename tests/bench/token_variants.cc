#include "tests/bench/token_variants.h"

#include <cmath>
#include <utility>

#include "base/status.h"
#include "model/train/token_pca.h"

namespace sightline::bench {
namespace {

// Rows of `dim` values to length 1; a row of zeros stays one.
void Normalise(std::vector<float>* rows, int dim) {
  for (size_t begin = 0; begin < rows->size(); begin += static_cast<size_t>(dim)) {
    double square = 0;
    for (int i = 0; i < dim; ++i) square += (*rows)[begin + i] * (*rows)[begin + i];
    if (square == 0) continue;
    for (int i = 0; i < dim; ++i) (*rows)[begin + i] = static_cast<float>((*rows)[begin + i] / std::sqrt(square));
  }
}

}  // namespace

std::vector<Picture> WithTokens(const std::vector<Picture>& pictures, absl::Span<const float> projection, int dim) {
  std::vector<Picture> out;
  out.reserve(pictures.size());
  for (const Picture& picture : pictures) {
    index::PatchTokens tokens = picture.tokens;
    tokens.floats = train::Product(picture.tokens.floats, projection, tokens.cells(), tokens.dim, dim);
    tokens.centre = train::Product(picture.tokens.centre, projection, 1, tokens.dim, dim);
    tokens.dim = dim;
    Normalise(&tokens.floats, dim);
    Normalise(&tokens.centre, dim);
    out.push_back({picture.object, picture.descriptor, std::move(tokens)});
  }
  return out;
}

absl::StatusOr<std::vector<float>> FitProjection(const std::vector<Picture>& pictures, int dim) {
  train::TokenMoments moments(pictures.front().tokens.dim);
  for (const Picture& picture : pictures) moments.Add(picture.tokens.floats);
  SIGHTLINE_ASSIGN_OR_RETURN(train::TokenBasis basis, moments.Fit(dim));
  return std::move(basis.matrix);
}

}  // namespace sightline::bench
