#include "model/weights/safetensors.h"

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sightline::weights {
namespace {

using ::testing::HasSubstr;

std::string Length(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>((length >> (8 * i)) & 0xff));
  return bytes;
}

std::string File(const std::string& header, const std::string& data) { return Length(header.size()) + header + data; }

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

std::string ValidFile() {
  const std::string values(32, 'x');
  const std::vector<TensorView> tensors = {{"b", DType::kF32, {2, 3}, absl::string_view(values).substr(0, 24)},
                                           {"a", DType::kF16, {4}, absl::string_view(values).substr(24)},
                                           {"empty", DType::kI64, {0, 5}, ""}};
  auto file = SerializeSafetensors(tensors, {{"format", "pt"}});
  EXPECT_TRUE(file.ok()) << file.status();
  return *file;
}

TEST(SafetensorsTest, ReadsWhatItWrites) {
  const std::string file = ValidFile();
  const auto parsed = ParseSafetensors(file, {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->tensors.size(), 3u);
  EXPECT_EQ(parsed->tensors[0].name, "a");
  EXPECT_EQ(parsed->tensors[0].dtype, DType::kF16);
  EXPECT_EQ(parsed->tensors[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(parsed->tensors[1].bytes.size(), 24u);
  EXPECT_EQ(parsed->tensors[2].bytes.size(), 0u);
  EXPECT_EQ(parsed->metadata.at("format"), "pt");
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  const std::string file = ValidFile();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(absl::string_view(file).substr(0, size), {}).ok()) << size;
  }
  EXPECT_FALSE(ParseSafetensors(file + "x", {}).ok()) << "bytes that no tensor covers";
}

TEST(SafetensorsTest, SurvivesDamagedBytes) {
  const unsigned seed = 7;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string file = ValidFile();
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = file;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const auto parsed = ParseSafetensors(damaged, {});
    if (!parsed.ok()) {
      EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    for (const TensorView& tensor : parsed->tensors) {
      for (const char byte : tensor.bytes) EXPECT_NE(&byte, nullptr);
    }
  }
}

struct Hostile {
  const char* name;
  std::string file;
  const char* says;
};

TEST(SafetensorsTest, RefusesHostileFilesWithTheReason) {
  const std::string four(4, '\0');
  const std::string f32 = Entry("F32", "[1]", "[0,4]");
  const std::string nested(100'000, '[');
  const std::vector<Hostile> files = {
      {"no bytes", "", "0 bytes"},
      {"huge header length", Length(UINT64_MAX) + "{}", "limit"},
      {"header longer than file", Length(1000) + "{}", "has 10 in all"},
      {"header over the limit", Length(5 << 20) + std::string(5 << 20, ' '), "limit"},
      {"not JSON", File("nonsense", ""), "not valid JSON"},
      {"a list", File("[1]", ""), "not a JSON object"},
      {"deep nesting", File(nested, ""), "deeper"},
      {"deep nesting in an entry", File("{\"t\":{\"shape\":[[[1]]]}}", ""), "deeper"},
      {"duplicate name", File("{\"t\":" + f32 + ",\"t\":" + f32 + "}", four), "twice"},
      {"duplicate key in an entry", File("{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", four), "twice"},
      {"unknown dtype", File("{\"t\":" + Entry("F8", "[1]", "[0,4]") + "}", four), "F8"},
      {"dtype is a number", File("{\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", four), "not a string"},
      {"missing field", File("{\"t\":{\"dtype\":\"F32\",\"shape\":[1]}}", four), "must hold"},
      {"surplus field", File("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}}", four),
       "nothing else"},
      {"entry is a string", File("{\"t\":\"F32\"}", ""), "must hold"},
      {"negative length", File("{\"t\":" + Entry("F32", "[-1]", "[0,4]") + "}", four), "shape"},
      {"fractional length", File("{\"t\":" + Entry("F32", "[1.5]", "[0,4]") + "}", four), "shape"},
      {"product overflows", File("{\"t\":" + Entry("F32", "[4611686018427387904,4]", "[0,4]") + "}", four), "memory"},
      {"product wraps to 4", File("{\"t\":" + Entry("F32", "[4294967296,4294967296,1]", "[0,4]") + "}", four),
       "memory"},
      {"too many dimensions", File("{\"t\":" + Entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") + "}", four), "at most 8"},
      {"offsets beyond the end", File("{\"t\":" + Entry("F32", "[2]", "[0,8]") + "}", four), "within"},
      {"offsets reversed", File("{\"t\":" + Entry("F32", "[1]", "[4,0]") + "}", four), "within"},
      {"offsets negative", File("{\"t\":" + Entry("F32", "[1]", "[-4,0]") + "}", four), "within"},
      {"offsets of 2^64", File("{\"t\":" + Entry("F32", "[1]", "[0,18446744073709551615]") + "}", four), "within"},
      {"three offsets", File("{\"t\":" + Entry("F32", "[1]", "[0,2,4]") + "}", four), "pair"},
      {"size does not fit shape", File("{\"t\":" + Entry("F32", "[2]", "[0,4]") + "}", four), "need 8 bytes"},
      {"overlap", File("{\"a\":" + f32 + ",\"b\":" + f32 + "}", four), "begin at byte 0"},
      {"gap", File("{\"a\":" + Entry("F32", "[1]", "[4,8]") + "}", four + four), "begin at byte 4"},
      {"uncovered end", File("{\"a\":" + f32 + "}", four + four), "cover 4"},
      {"metadata is a list", File("{\"__metadata__\":[]}", ""), "__metadata__"},
      {"metadata holds numbers", File("{\"__metadata__\":{\"a\":1}}", ""), "__metadata__"},
  };
  for (const Hostile& hostile : files) {
    const auto parsed = ParseSafetensors(hostile.file, {});
    ASSERT_FALSE(parsed.ok()) << hostile.name;
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << hostile.name;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(hostile.says)) << hostile.name;
    EXPECT_LT(parsed.status().message().size(), 500u) << hostile.name;
  }
}

TEST(SafetensorsTest, LimitsTheNumberOfTensors) {
  std::string header = "{";
  for (int i = 0; i < 30; ++i) {
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":" + Entry("F32", "[0]", "[0,0]");
  }
  const std::string file = File(header + "}", "");
  EXPECT_TRUE(ParseSafetensors(file, {}).ok());
  EXPECT_FALSE(ParseSafetensors(file, {.max_tensors = 29}).ok());
}

TEST(SafetensorsTest, WriterRefusesWhatCouldNotBeReadBack) {
  const std::string four(4, '\0');
  EXPECT_FALSE(SerializeSafetensors({{"", DType::kF32, {1}, four}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"a", DType::kF32, {2}, four}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"a", DType::kF32, {-1}, four}}, {}).ok());
  const std::vector<TensorView> twice = {{"a", DType::kF32, {1}, four}, {"a", DType::kF32, {1}, four}};
  EXPECT_FALSE(SerializeSafetensors(twice, {}).ok());
}

}  // namespace
}  // namespace sightline::weights
