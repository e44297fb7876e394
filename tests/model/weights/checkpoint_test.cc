#include "model/weights/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_bytes.h"

namespace sightline::weights {
namespace {

using sightline::testing::FloatBytes;
using sightline::testing::LegacyBytes;
using sightline::testing::Little;
using sightline::testing::PickleBytes;
using sightline::testing::TensorBytes;
using sightline::testing::ZipBytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TensorBytes kMatrix = {.name = "m", .key = "0", .count = 6, .shape = {2, 3}, .strides = {3, 1}};
const TensorBytes kTransposed = {.name = "t", .key = "0", .count = 6, .shape = {3, 2}, .strides = {1, 3}};
const TensorBytes kColumn = {.name = "c", .key = "0", .count = 6, .offset = 1, .shape = {2}, .strides = {3}};
const TensorBytes kScalar = {.name = "s", .key = "1", .count = 1};

std::string SixFloats() { return FloatBytes({0, 1, 2, 3, 4, 5}); }

std::string Zip(const std::string& pickle) {
  return ZipBytes({{"any name/data.pkl", pickle},
                   {"any name/byteorder", "little"},
                   {"any name/data/0", SixFloats()},
                   {"any name/data/1", FloatBytes({7})},
                   {"any name/version", "3\n"}});
}

std::vector<float> Values(const TensorView& tensor) {
  std::vector<float> values(tensor.bytes.size() / static_cast<size_t>(DTypeBytes(tensor.dtype)));
  ToFloats(tensor.dtype, tensor.bytes, absl::MakeSpan(values));
  return values;
}

std::string Said(const std::string& file, const CheckpointOptions& options = {}) {
  const auto checkpoint = ParseCheckpoint(file, options);
  if (checkpoint.ok()) return "accepted";
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(checkpoint.status().message());
}

TEST(DTypeTest, ConvertsEveryHalf) {
  // Against the definition, for all 65,536 patterns.
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const std::string bytes = Little(bits, 2);
    float value = 0;
    ToFloats(DType::kF16, bytes, absl::MakeSpan(&value, 1));
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double fraction = bits & 1023;
    const double magnitude =
        exponent == 0 ? fraction / 1024 * std::pow(2.0, -14) : (1 + fraction / 1024) * std::pow(2.0, exponent - 15);
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction != 0);
      EXPECT_EQ(std::isinf(value), fraction == 0);
    } else {
      ASSERT_EQ(value, (bits & 0x8000) != 0 ? -magnitude : magnitude) << bits;
    }
  }
  float value = 0;
  ToFloats(DType::kBF16, Little(0xbfc0, 2), absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, -1.5f);
  ToFloats(DType::kF64, Little(0x3ff8000000000000, 8), absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, 1.5f);
  ToFloats(DType::kI64, Little(static_cast<uint64_t>(-5), 8), absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, -5.0f);
  ToFloats(DType::kU8, "\xff", absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, 255.0f);
  ToFloats(DType::kBool, "\x02", absl::MakeSpan(&value, 1));
  EXPECT_EQ(value, 1.0f);
}

TEST(CheckpointTest, ReadsViewsRowByRow) {
  const std::string pickle = PickleBytes().StateDict({kTransposed, kScalar, kMatrix, kColumn}).Finish();
  const std::vector<std::string> files = {Zip(pickle),
                                          LegacyBytes(pickle, {{"0", 6, SixFloats()}, {"1", 1, FloatBytes({7})}})};
  for (const std::string& file : files) {
    const auto read = ParseCheckpoint(file, {});
    ASSERT_TRUE(read.ok()) << read.status();
    const std::vector<TensorView>& tensors = (*read)->tensors();
    ASSERT_EQ(tensors.size(), 4u);
    EXPECT_EQ(tensors[0].name, "c");
    EXPECT_THAT(Values(tensors[0]), ElementsAre(1, 4));
    EXPECT_THAT(Values(tensors[1]), ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_THAT(Values(tensors[2]), ElementsAre(7));
    EXPECT_TRUE(tensors[2].shape.empty());
    EXPECT_THAT(Values(tensors[3]), ElementsAre(0, 3, 1, 4, 2, 5));
    EXPECT_EQ(tensors[3].shape, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ((*read)->wrapper(), "");
    EXPECT_EQ((*read)->format(), &file == &files[0] ? "PyTorch zip" : "PyTorch legacy");
  }
}

TEST(CheckpointTest, ReadsPartsOfOlderStorages) {
  // ("storage", type, key, device, count, (key of the view, offset, count))
  PickleBytes pickle;
  pickle.Raw("}").Text("w").Global("torch._utils", "_rebuild_tensor").Raw("((");
  pickle.Text("storage").Global("torch", "FloatStorage").Text("0").Text("cpu").Int(6).Raw("(");
  pickle.Text("9").Int(2).Int(3).Raw("ttQ").Int(1).Ints({2}).Ints({1}).Raw("tRs");
  const std::string file = LegacyBytes(pickle.Finish(), {{"0", 6, SixFloats()}});
  const auto read = ParseCheckpoint(file, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(Values((*read)->tensors()[0]), ElementsAre(3, 4));
}

TEST(CheckpointTest, FindsTheStateDict) {
  const auto dict = [](const std::vector<std::pair<std::string, std::string>>& items) {
    PickleBytes pickle;
    pickle.Raw("}(");
    for (const auto& [key, value] : items) pickle.Text(key).Raw(value);
    return pickle.Raw("u").Finish().substr(2);
  };
  const auto inner = [](const std::string& text) { return text.substr(0, text.size() - 1); };  // without the stop
  const std::string weights = inner(PickleBytes().StateDict({kMatrix, kScalar}).Finish().substr(2));
  const std::string other = inner(PickleBytes().StateDict({kColumn}).Finish().substr(2));
  const std::string number = "K\x01";
  const std::string loss = inner(PickleBytes().Tensor(kScalar).Finish().substr(2));
  struct Case {
    std::string pickle;
    std::string wrapper;
  };
  const std::vector<Case> cases = {
      {dict({{"state_dict", weights}, {"epoch", number}}), "state_dict"},
      {dict({{"model", weights}, {"optimizer", other}}), "model"},
      {dict({{"model_state", weights}}), "model_state"},
      {dict({{"model", inner(dict({{"net", weights}}))}}), "model.net"},
      {dict({{"student", other}, {"teacher", weights}}), "teacher"},
      {dict({{"whatever", weights}}), "whatever"},
      {dict({{"state_dict", weights}, {"loss", loss}}), "state_dict"},
  };
  for (const Case& one : cases) {
    const std::string file = Zip("\x80\x02" + one.pickle);
    const auto read = ParseCheckpoint(file, {});
    ASSERT_TRUE(read.ok()) << one.wrapper << read.status();
    EXPECT_EQ((*read)->wrapper(), one.wrapper);
    EXPECT_EQ((*read)->tensors().size(), 2u);
  }
  const std::string several = Zip("\x80\x02" + dict({{"first", weights}, {"second", other}}));
  EXPECT_THAT(Said(several), HasSubstr("Choose one with --key: \"first\" (2), \"second\" (1)."));
  EXPECT_EQ((*ParseCheckpoint(several, {.key = "second"}))->tensors().size(), 1u);
  EXPECT_THAT(Said(several, {.key = "third"}), HasSubstr("no tensors under the key \"third\""));
  EXPECT_THAT(Said(Zip("\x80\x02" + dict({{"a", number}}))), HasSubstr("holds no dict of tensors"));
  EXPECT_THAT(Said(Zip("\x80\x02K\x01.")), HasSubstr("does not hold a dict"));
}

TEST(CheckpointTest, KeepsWhatTheFileSaysAboutItself) {
  PickleBytes pickle;
  pickle.Raw("}(").Text("meta").Raw("}(").Text("outputdim").Int(2048).Text("mean").Raw("](");
  for (int i = 0; i < 3; ++i) pickle.Raw(std::string("G\x3f\xe0\0\0\0\0\0\0", 9));
  // A numpy array of two doubles, as protocol 2 writes its bytes.
  pickle.Raw("e").Text("P").Global("numpy.core.multiarray", "_reconstruct").Raw("(").Global("numpy", "ndarray");
  pickle.Raw("(K")
      .Raw(std::string(1, '\0'))
      .Raw(
          "tU\x01"
          "btR(K\x01")
      .Ints({2, 1})
      .Global("numpy", "dtype")
      .Raw("(");
  pickle.Text("f8").Raw("\x89\x88tR\x89").Global("_codecs", "encode").Raw("(");
  pickle.Text(std::string("\0\0\0\0\0\0\xc3\xb0?\0\0\0\0\0\0\0@", 17)).Text("latin1").Raw("tRtb");
  pickle.Raw("u").Text("state_dict").StateDict({kMatrix}).Raw("u");
  const std::string file = Zip(pickle.Finish());
  const auto read = ParseCheckpoint(file, {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->meta()["outputdim"], 2048);
  EXPECT_EQ((*read)->meta()["mean"], (nlohmann::json{0.5, 0.5, 0.5}));
  ASSERT_EQ((*read)->meta_tensors().size(), 1u);
  EXPECT_EQ((*read)->meta_tensors()[0].name, "P");
  EXPECT_EQ((*read)->meta_tensors()[0].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_THAT(Values((*read)->meta_tensors()[0]), ElementsAre(1, 2));
}

TEST(CheckpointTest, RefusesWhatIsNotThere) {
  const std::string pickle = PickleBytes().StateDict({kMatrix}).Finish();
  const auto with = [&](const std::string& storage) {
    return ZipBytes({{"a/data.pkl", pickle}, {"a/data/0", storage}});
  };
  EXPECT_THAT(Said(with(SixFloats().substr(4))), HasSubstr("claims 6 values"));
  EXPECT_THAT(Said(with("")), HasSubstr("claims 6 values"));
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", pickle}})), HasSubstr("has no storage \"0\""));
  EXPECT_THAT(Said(ZipBytes({{"a/data/0", SixFloats()}})), HasSubstr("without data.pkl"));
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}})), HasSubstr("two data.pkl"));
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", pickle + "."}, {"a/data/0", SixFloats()}})), HasSubstr("behind the end"));
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", pickle}, {"a/code/model.py", ""}})), HasSubstr("TorchScript"));
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", pickle}, {"a/byteorder", "big"}})), HasSubstr("big-endian"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {{"0", 6, SixFloats().substr(1)}})), HasSubstr("cut off within the storage"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {{"0", UINT64_MAX, SixFloats()}})), HasSubstr("cut off within the storage"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {{"0", uint64_t{1} << 62, SixFloats()}})), HasSubstr("cut off within"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {{"0", 5, SixFloats()}})), HasSubstr("claims 6 values"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {})), HasSubstr("has no storage"));
  EXPECT_THAT(Said(LegacyBytes(pickle, {{"5", 1, "1234"}})), HasSubstr("that nothing uses"));
  // The same 6 values in 100 transposed tensors: more copies than bytes.
  std::vector<TensorBytes> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(kTransposed);
    many.back().name = std::to_string(i);
  }
  std::string values(1 << 20, '\0');
  for (TensorBytes& tensor : many) {
    tensor.count = 1 << 18;
    tensor.shape = {1 << 9, 1 << 9};
    tensor.strides = {1, 1 << 9};
  }
  const std::string copies = PickleBytes().StateDict(many).Finish();
  EXPECT_THAT(Said(ZipBytes({{"a/data.pkl", copies}, {"a/data/0", values}})), HasSubstr("more tensors than"));
  EXPECT_THAT(Said(Zip(PickleBytes().StateDict({kMatrix, kMatrix}).Finish())), HasSubstr("twice"));
  EXPECT_THAT(Said(Zip(PickleBytes().StateDict({kMatrix, kScalar}).Finish()), {.max_tensors = 1}), HasSubstr("limit"));
}

// A pickle writes a text once and refers to it often: copies of a long one would take 1,000 times the file.
TEST(CheckpointTest, RefusesLongTextsThatAreManyTimesThere) {
  const std::string long_text(1 << 20, 'n');
  const auto times = [](const std::string& what, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += what;
    return all;
  };
  PickleBytes names;
  names.Raw("}(").Text(long_text).Raw("q\1").Tensor(kMatrix).Raw("q\2").Raw(times("h\1h\2", 1000)).Raw("u");
  EXPECT_THAT(Said(Zip(names.Finish())), HasSubstr("a name of 1048576 bytes; the limit is 1024"));
  PickleBytes texts;
  texts.Raw("}(").Text("w").Tensor(kMatrix).Text("meta").Raw("](").Text(long_text).Raw("q\1").Raw(times("h\1", 1000));
  EXPECT_THAT(Said(Zip(texts.Raw("eu").Finish())), HasSubstr("1048576 bytes of text under"));
  PickleBytes paths;
  paths.Raw("}(").Text("w").Tensor(kMatrix).Raw("q\2").Text("meta").Raw("}(").Text(long_text).Raw("}(");
  for (int i = 0; i < 1000; ++i) paths.Text(std::to_string(i)).Raw("h\2");
  EXPECT_THAT(Said(Zip(paths.Raw("uuu").Finish())), HasSubstr("a name of 1048577 bytes"));
  // Dicts under long names are no state dicts.
  PickleBytes dicts;
  dicts.Raw("}(").Text("w").Tensor(kMatrix).Raw("q\2").Text(long_text).Raw("}(").Text("v").Raw("h\2uu");
  EXPECT_EQ(Said(Zip(dicts.Finish())), "accepted");
}

TEST(CheckpointTest, SaysWhatAForeignFileIs) {
  EXPECT_THAT(Said(""), HasSubstr("is empty"));
  EXPECT_THAT(Said("version https://git-lfs.github.com/spec/v1\noid"), HasSubstr("Git LFS"));
  EXPECT_THAT(Said("<!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(Said("\x89HDF\r\n\x1a\n and so on"), HasSubstr("HDF5"));
  EXPECT_THAT(Said("\x1f\x8b\x08 and so on"), HasSubstr("gzip"));
  EXPECT_THAT(Said(std::string(257, '\0') + "ustar" + std::string(10, '\0')), HasSubstr("tar archive"));
  EXPECT_THAT(Said("\x80\x04\x95 and so on"), HasSubstr("not one of torch.save"));
  EXPECT_THAT(Said("nonsense"), HasSubstr("neither"));
}

TEST(CheckpointTest, RefusesEveryTruncation) {
  const std::string pickle = PickleBytes().StateDict({kMatrix, kTransposed, kScalar}).Finish();
  for (const std::string& file :
       {Zip(pickle), LegacyBytes(pickle, {{"0", 6, SixFloats()}, {"1", 1, FloatBytes({7})}})}) {
    for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(Said(file.substr(0, size)), "accepted") << size;
  }
}

TEST(CheckpointTest, SurvivesDamagedBytes) {
  const unsigned seed = 9;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string pickle = PickleBytes().StateDict({kMatrix, kTransposed, kScalar}).Finish();
  const std::string file = LegacyBytes(pickle, {{"0", 6, SixFloats()}, {"1", 1, FloatBytes({7})}});
  for (int i = 0; i < 20'000; ++i) {
    // The zip archive would refuse most damage by its checksums, so its pickle is damaged before.
    std::string damaged = i % 2 == 0 ? file : pickle;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const std::string whole = i % 2 == 0 ? damaged : Zip(damaged);
    const auto read = ParseCheckpoint(whole, {});
    if (!read.ok()) continue;
    for (const TensorView& tensor : (*read)->tensors()) Values(tensor);
  }
}

}  // namespace
}  // namespace sightline::weights
