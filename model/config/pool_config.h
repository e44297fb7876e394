// Heads that pool the last map, or a transformer's grid of patch tokens, and may end in a linear map: "gap", "spoc",
// "mac", "crow", "rmac", "gem", and the two published ones that are GeM with a linear map, "delg" and "solar".
//
//   {"type": "gem", "fc": {"dim": 2048, "l2_before": true}}     cirtorch's models with whitening
//   {"type": "gem", "p": 3}                                     a fixed exponent
//   {"type": "rmac", "levels": 3}
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_POOL_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_POOL_CONFIG_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fc_config.h"
#include "model/config/fields.h"

namespace sightline::model {

enum class Pooling { kGap, kSpoc, kMac, kCrow, kRmac, kGem };
inline constexpr std::array<absl::string_view, 6> kPoolingNames = {"gap", "spoc", "mac", "crow", "rmac", "gem"};

// GeM's exponents. Beyond them powers of ordinary activations leave the range of float32, and the pool is a maximum
// long before; published models have 2 to 4.
inline constexpr double kLeastExponent = 0.1;
inline constexpr double kMostExponent = 16;

struct PoolConfig {
  Pooling pooling = Pooling::kGem;
  // spoc: a Gaussian weight around the middle; without it SPoC is the mean.
  bool centre_prior = true;
  // rmac: L, the number of region sizes.
  int levels = 3;
  // gem: a fixed exponent; without it the exponent is learned, one for all channels.
  std::optional<double> p = std::nullopt;
  std::optional<FcConfig> fc = std::nullopt;

  static absl::StatusOr<PoolConfig> ParsePooling(Fields& fields, Pooling pooling);
  nlohmann::json ToJson() const;
  HeadFacts facts() const { return {.positive = pooling == Pooling::kGem && !fc.has_value()}; }
  int descriptor_dim(const BackboneFacts& backbone) const { return FcDim(fc, backbone.dim); }
  int64_t parameters(const BackboneFacts& backbone) const;
};

// One kind of head per way to pool.
template <Pooling kPooling>
struct PoolKind : PoolConfig {
  static constexpr absl::string_view kType = kPoolingNames[static_cast<size_t>(kPooling)];

  static absl::StatusOr<PoolKind> Parse(Fields& fields) {
    absl::StatusOr<PoolConfig> config = PoolConfig::ParsePooling(fields, kPooling);
    if (!config.ok()) return config.status();
    return PoolKind{*config};
  }
};
using GapConfig = PoolKind<Pooling::kGap>;
using SpocConfig = PoolKind<Pooling::kSpoc>;
using MacConfig = PoolKind<Pooling::kMac>;
using CrowConfig = PoolKind<Pooling::kCrow>;
using RmacConfig = PoolKind<Pooling::kRmac>;
using GemConfig = PoolKind<Pooling::kGem>;

// The global descriptor of DELG (METHODS 4.8): GeM with p = 3, then a linear map. The original keeps p fixed; its
// PyTorch ports learn it.
struct DelgConfig {
  static constexpr absl::string_view kType = "delg";
  int dim = 2048;
  bool learned_p = false;

  static absl::StatusOr<DelgConfig> Parse(Fields& fields);
  PoolConfig pool() const;
  nlohmann::json ToJson() const { return {{"dim", dim}, {"learned_p", learned_p}}; }
  HeadFacts facts() const { return pool().facts(); }
  int descriptor_dim(const BackboneFacts& backbone) const { return pool().descriptor_dim(backbone); }
  int64_t parameters(const BackboneFacts& backbone) const { return pool().parameters(backbone); }
};

// The head of SOLAR (METHODS 4.7): GeM with a learned p, L2, a linear map. Its second-order attention is the
// backbone's.
struct SolarConfig {
  static constexpr absl::string_view kType = "solar";
  int dim = 2048;

  static absl::StatusOr<SolarConfig> Parse(Fields& fields);
  PoolConfig pool() const;
  nlohmann::json ToJson() const { return {{"dim", dim}}; }
  HeadFacts facts() const { return pool().facts(); }
  int descriptor_dim(const BackboneFacts& backbone) const { return pool().descriptor_dim(backbone); }
  int64_t parameters(const BackboneFacts& backbone) const { return pool().parameters(backbone); }
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_POOL_CONFIG_H_
