#include "model/calibration/calibration.h"

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"

namespace sightline::model {
namespace {

const char kSpace[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string File(const std::string& inputs, const std::string& more = "") {
  return std::string(R"({"format": 1, "embedding_space": ")") + kSpace + R"(", "images": 64, "inputs": )" + inputs +
         more + "}";
}

TEST(Calibration, ComesBackAsItWasWritten) {
  const Calibration calibration{
      .embedding_space = kSpace,
      .images = 17,
      .inputs = {{"backbone.layer1.0.conv1", {0.1f, false}}, {"dtop.elm.irb.expand.conv", {1.0f / 3, true}}}};
  const auto read = ParseCalibration(CalibrationText(calibration));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->embedding_space, calibration.embedding_space);
  EXPECT_EQ(read->images, 17);
  EXPECT_EQ(read->inputs, calibration.inputs);
  ASSERT_NE(read->Find("backbone.layer1.0.conv1"), nullptr);
  EXPECT_EQ(read->Find("backbone.layer1.0.conv1")->scale, 0.1f);
  EXPECT_EQ(read->Find("backbone.layer1.0"), nullptr);
}

TEST(Calibration, AnEmptyListOfInputsIsFine) { EXPECT_TRUE(ParseCalibration(File("{}")).ok()); }

TEST(Calibration, HostileFilesAreRefusedWithASentence) {
  const std::string scale = R"({"a": {"scale": )";
  std::string many = "{";
  for (int64_t i = 0; i <= kMaxCalibratedInputs; ++i) {
    many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"scale":1,"signed":true})";
  }
  many += "}";
  const std::vector<std::string> files = {
      "",
      "[]",
      "null",
      "{",
      "{}",
      std::string(1000, '['),
      R"({"format": 1})",
      File("{}", R"(, "extra": 1)"),
      File("{}", R"(, "format": 1)"),
      File("[]"),
      File("null"),
      File(R"({"a": 1})"),
      File(R"({"a": {}})"),
      File(R"({"a": {"scale": 1}})"),
      File(R"({"a": {"scale": 1, "signed": 1}})"),
      File(R"({"a": {"scale": 1, "signed": true, "zero": 0}})"),
      File(R"({"": {"scale": 1, "signed": true}})"),
      File(R"({"a": {"scale": 1, "signed": true}, "a": {"scale": 2, "signed": true}})"),
      File("{\"" + std::string(257, 'a') + R"(": {"scale": 1, "signed": true}})"),
      File(scale + R"(0, "signed": true}})"),
      File(scale + R"(-1, "signed": true}})"),
      File(scale + R"(1e-13, "signed": true}})"),
      File(scale + R"(1e13, "signed": true}})"),
      File(scale + R"(1e999, "signed": true}})"),
      File(scale + R"(NaN, "signed": true}})"),
      File(scale + R"("1", "signed": true}})"),
      File(scale + R"(true, "signed": true}})"),
      File(scale + R"(null, "signed": true}})"),
      File(many),
      std::string(static_cast<size_t>(kMaxCalibrationBytes) + 1, ' '),
      R"({"format": 2, "embedding_space": ")" + std::string(kSpace) + R"(", "images": 1, "inputs": {}})",
      R"({"format": 1.0, "embedding_space": ")" + std::string(kSpace) + R"(", "images": 1, "inputs": {}})",
      R"({"format": 1, "embedding_space": ")" + std::string(kSpace) + R"(", "images": 0, "inputs": {}})",
      R"({"format": 1, "embedding_space": ")" + std::string(kSpace) +
          R"(", "images": 18446744073709551615, "inputs": {}})",
      R"({"format": 1, "embedding_space": ")" + std::string(kSpace).substr(1) + R"(", "images": 1, "inputs": {}})",
      R"({"format": 1, "embedding_space": ")" + std::string(63, '0') + R"(G", "images": 1, "inputs": {}})",
      R"({"format": 1, "embedding_space": 7, "images": 1, "inputs": {}})",
  };
  for (const std::string& file : files) {
    const auto read = ParseCalibration(file);
    ASSERT_FALSE(read.ok()) << file.substr(0, 200);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string reason = base::GetErrorInfo(read.status()).reason;
    EXPECT_TRUE(reason == "INVALID_CALIBRATION" || reason == "MALFORMED_JSON") << reason;
    EXPECT_LT(read.status().message().size(), 600u) << file.substr(0, 200);
  }
}

}  // namespace
}  // namespace sightline::model
