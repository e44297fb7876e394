#include "server/placement.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sightline::server {
namespace {

// "cuda:0 bf16, cuda:1 bf16".
std::string Loads(const Placement& placement, const std::string& name) {
  const auto one = [](std::string* out, const model::LoadOptions& load) {
    const char* numbers = load.numeric == model::Numeric::kBf16   ? "bf16"
                          : load.numeric == model::Numeric::kInt8 ? "int8"
                                                                  : "fp32";
    absl::StrAppend(out, load.device.Name(), " ", numbers);
    EXPECT_EQ(load.intra_op_threads, 3) << "the rest stays as it was";
  };
  return absl::StrJoin(placement.LoadsOf(name, {.intra_op_threads = 3}), ", ", one);
}

const std::vector<model::Device> kTwoCards = {{.cuda = true}, {.cuda = true, .index = 1}};

TEST(PlacementTest, WhoAsksForNothingGetsTheCpu) { EXPECT_EQ(Loads({}, "a"), "cpu fp32"); }

TEST(PlacementTest, CardsComputeInBfloat16) {
  EXPECT_EQ(Loads({.devices = kTwoCards, .or_cpu = true}, "a"), "cuda:0 bf16, cuda:1 bf16");
}

TEST(PlacementTest, Int8IsTheCpus) {
  EXPECT_EQ(Loads({.int8_models = {"b", "a"}}, "a"), "cpu int8");
  EXPECT_EQ(Loads({.int8_models = {"b"}}, "a"), "cpu fp32");
  EXPECT_EQ(Loads({.int8_models = {"zoo/a"}}, "a"), "cpu fp32");
  EXPECT_EQ(Loads({.devices = kTwoCards, .int8_models = {"a"}}, "a"), "cpu int8");
  EXPECT_EQ(Loads({.devices = kTwoCards, .int8_models = {"a"}}, "b"), "cuda:0 bf16, cuda:1 bf16");
  EXPECT_EQ(Loads({.devices = kTwoCards, .int8_models = {"b", "all"}}, "a"), "cpu int8");
}

TEST(PlacementTest, WhatStandsInIsNeverInInt8) {
  const model::LoadOptions load =
      Placement::OnCpu({.intra_op_threads = 3, .numeric = model::Numeric::kBf16, .device = {.cuda = true, .index = 1}});
  EXPECT_EQ(load.device, model::Device{});
  EXPECT_EQ(load.numeric, model::Numeric::kFp32);
  EXPECT_EQ(load.intra_op_threads, 3);
}

}  // namespace
}  // namespace sightline::server
