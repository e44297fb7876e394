#include "index/rerank/patch_set.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/marginals.h"

namespace sightline::index::rerank {
namespace {

absl::Status TokensError(absl::string_view message) { return base::InvalidArgument("TOKENS_INVALID", message); }

absl::Status CheckSize(absl::string_view what, size_t actual, size_t expected) {
  if (actual == expected) return absl::OkStatus();
  return base::InvalidArgument("TOKENS_INVALID",
                               absl::StrCat("patches have ", actual, " ", what, "; their grid needs ", expected,
                                            ". Pass tokens as they were stored."),
                               {{"actual", absl::StrCat(actual)}, {"expected", absl::StrCat(expected)}});
}

absl::Status CheckFinite(absl::string_view what, absl::Span<const float> values) {
  for (const float value : values) {
    if (std::isfinite(value)) continue;
    return TokensError(
        absl::StrCat("a value among the ", what, " of patches is ", value, ". Check the model that made them."));
  }
  return absl::OkStatus();
}

absl::Status CheckTokens(const PatchTokens& tokens) {
  if (tokens.height < 1 || tokens.width < 1 || tokens.height > std::numeric_limits<int>::max() / tokens.width) {
    return TokensError(absl::StrCat("patches form a grid of ", tokens.height, "x", tokens.width,
                                    "; it needs at least one cell. Pass tokens as they were stored."));
  }
  if (tokens.dim < 1) {
    return TokensError(absl::StrCat("patches have dimension ", tokens.dim,
                                    "; it must be at least 1. Pass tokens as they were stored."));
  }
  const size_t cells = static_cast<size_t>(tokens.cells());
  const size_t values = cells * static_cast<size_t>(tokens.dim);
  if (tokens.precision != TokenPrecision::kInt8) {
    SIGHTLINE_RETURN_IF_ERROR(CheckSize("values", tokens.floats.size(), values));
    return CheckFinite("values", tokens.floats);
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckSize("values", tokens.values.size(), values));
  SIGHTLINE_RETURN_IF_ERROR(CheckSize("scales", tokens.scales.size(), cells));
  return CheckFinite("scales", tokens.scales);
}

// By its largest value first, so that no square leaves the range of a double.
void MakeUnit(double* vector, size_t dim) {
  double largest = 0;
  for (size_t d = 0; d < dim; ++d) largest = std::max(largest, std::abs(vector[d]));
  if (largest == 0) return;
  double squares = 0;
  for (size_t d = 0; d < dim; ++d) {
    vector[d] /= largest;
    squares += vector[d] * vector[d];
  }
  const double length = std::sqrt(squares);
  for (size_t d = 0; d < dim; ++d) vector[d] /= length;
}

}  // namespace

absl::Status CheckPatches(const Patches& patches, const TransportOptions& options) {
  if (patches.tokens == nullptr) return TokensError("patches have no tokens. Leave out an image that has none.");
  const PatchTokens& tokens = *patches.tokens;
  SIGHTLINE_RETURN_IF_ERROR(CheckTokens(tokens));
  const size_t cells = static_cast<size_t>(tokens.cells());
  if (!patches.mask.empty()) SIGHTLINE_RETURN_IF_ERROR(CheckSize("mask entries", patches.mask.size(), cells));
  if (NeedsCentre(options.marginals)) {
    SIGHTLINE_RETURN_IF_ERROR(CheckSize("centre values", tokens.centre.size(), static_cast<size_t>(tokens.dim)));
    SIGHTLINE_RETURN_IF_ERROR(CheckFinite("centre values", tokens.centre));
  }
  if (options.marginals == Marginals::kImportance) {
    SIGHTLINE_RETURN_IF_ERROR(CheckSize("importances", tokens.importance.size(), cells));
    SIGHTLINE_RETURN_IF_ERROR(CheckFinite("importances", tokens.importance));
    const auto least = std::min_element(tokens.importance.begin(), tokens.importance.end());
    if (*least < 0) {
      return TokensError(
          absl::StrCat("an importance is ", *least, "; it must be at least 0. Check the model that made it."));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSameDimension(const PatchTokens& query, const PatchTokens& result) {
  if (query.dim == result.dim) return absl::OkStatus();
  return base::InvalidArgument("TOKENS_DIFFER",
                               absl::StrCat("the query's patches have dimension ", query.dim, ", a result's ",
                                            result.dim, ". Compare tokens of one model and one reduction."),
                               {{"query", absl::StrCat(query.dim)}, {"result", absl::StrCat(result.dim)}});
}

PatchSet DecodePatches(const PatchTokens& tokens) {
  PatchSet set;
  set.cells = static_cast<size_t>(tokens.cells());
  set.dim = static_cast<size_t>(tokens.dim);
  if (tokens.precision == TokenPrecision::kInt8) {
    set.tokens.resize(tokens.values.size());
    for (size_t i = 0; i < tokens.values.size(); ++i) {
      set.tokens[i] = static_cast<double>(tokens.scales[i / set.dim]) * tokens.values[i];
    }
  } else {
    set.tokens.assign(tokens.floats.begin(), tokens.floats.end());
  }
  for (size_t cell = 0; cell < set.cells; ++cell) MakeUnit(&set.tokens[cell * set.dim], set.dim);
  set.centre.assign(tokens.centre.begin(), tokens.centre.end());
  MakeUnit(set.centre.data(), set.centre.size());
  return set;
}

std::vector<double> Cosines(const PatchSet& set, absl::Span<const double> vector) {
  std::vector<double> cosines(set.cells);
  for (size_t cell = 0; cell < set.cells; ++cell) {
    double sum = 0;
    for (size_t d = 0; d < set.dim; ++d) sum += set.tokens[cell * set.dim + d] * vector[d];
    cosines[cell] = sum;
  }
  return cosines;
}

ChosenPatches ChoosePatches(const Patches& patches, absl::Span<const double> cosines, int most,
                            const TransportOptions& options) {
  const absl::Span<const float> importance = patches.tokens->importance;
  std::vector<double> weights = PatchWeights(cosines, importance, patches.mask, options);
  ChosenPatches chosen;
  if (options.stop == StopRule::kReference && most == 0) {
    for (size_t cell = 0; cell < weights.size(); ++cell) {
      if (patches.mask.empty() || patches.mask[cell] != 0) chosen.cells.push_back(static_cast<int>(cell));
    }
  } else {
    chosen.cells = StrongestPatches(weights, most);
    if (most > 0) {
      std::vector<uint8_t> kept(weights.size());
      for (const int cell : chosen.cells) kept[static_cast<size_t>(cell)] = 1;
      weights = PatchWeights(cosines, importance, kept, options);
    }
  }
  for (const int cell : chosen.cells) chosen.weights.push_back(weights[static_cast<size_t>(cell)]);
  return chosen;
}

absl::StatusOr<std::vector<double>> PatchSimilarities(const PatchTokens& result, const PatchTokens& query) {
  SIGHTLINE_RETURN_IF_ERROR(CheckTokens(result));
  SIGHTLINE_RETURN_IF_ERROR(CheckTokens(query));
  SIGHTLINE_RETURN_IF_ERROR(CheckSameDimension(query, result));
  const PatchSet rows = DecodePatches(result), columns = DecodePatches(query);
  std::vector<double> similarities;
  similarities.reserve(rows.cells * columns.cells);
  for (size_t i = 0; i < rows.cells; ++i) {
    const std::vector<double> row = Cosines(columns, {&rows.tokens[i * rows.dim], rows.dim});
    similarities.insert(similarities.end(), row.begin(), row.end());
  }
  return similarities;
}

}  // namespace sightline::index::rerank
