#include "model/weights/pickle.h"

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_bytes.h"

namespace sightline::weights {
namespace {

using sightline::testing::Little;
using sightline::testing::PickleBytes;
using sightline::testing::TensorBytes;
using ::testing::HasSubstr;

std::string Repeat(const std::string& text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

const TensorBytes kTensor = {.name = "w", .count = 6, .shape = {2, 3}, .strides = {3, 1}};

std::string TensorWith(int64_t count, int64_t offset, std::vector<int64_t> shape, std::vector<int64_t> strides) {
  TensorBytes tensor = kTensor;
  tensor.count = count;
  tensor.offset = offset;
  tensor.shape = std::move(shape);
  tensor.strides = std::move(strides);
  return PickleBytes().StateDict({tensor}).Finish();
}

TEST(PickleTest, ReadsPlainValues) {
  PickleBytes bytes;
  bytes.Raw("}(").Text("int").Int(-3).Text("small").Raw("K\x07").Text("negative").Raw("J\xff\xff\xff\xff");
  bytes.Text("float").Raw(std::string("G\x3f\xf8\0\0\0\0\0\0", 9)).Text("none").Raw("N").Text("yes").Raw("\x88");
  bytes.Text("list").Raw("](").Int(1).Int(2).Raw("e").Text("python 2").Raw("U\x02hiu");
  const std::string file = bytes.Finish();
  const std::string followed = file + "rest";
  const auto pickle = ReadPickle(followed, {});
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  EXPECT_EQ(pickle->bytes, file.size());
  const PickleValue& root = pickle->at(pickle->root);
  EXPECT_EQ(pickle->Find(root, "int")->integer, -3);
  EXPECT_EQ(pickle->Find(root, "small")->integer, 7);
  EXPECT_EQ(pickle->Find(root, "negative")->integer, -1);
  EXPECT_EQ(pickle->Find(root, "float")->real, 1.5);
  EXPECT_EQ(pickle->Find(root, "none")->kind, PickleKind::kNone);
  EXPECT_EQ(pickle->Find(root, "yes")->integer, 1);
  EXPECT_EQ(pickle->Find(root, "list")->items.size(), 2u);
  EXPECT_EQ(pickle->Find(root, "python 2")->text, "hi");
  EXPECT_EQ(pickle->Find(root, "absent"), nullptr);
}

TEST(PickleTest, DescribesTensors) {
  const std::string file = PickleBytes().StateDict({kTensor}).Finish();
  const auto pickle = ReadPickle(file, {});
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  const PickleValue* const value = pickle->Find(pickle->at(pickle->root), "w");
  ASSERT_TRUE(IsTensor(*value));
  const PickleTensor& tensor = pickle->tensors[static_cast<size_t>(value->integer)];
  EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(pickle->storages[tensor.storage].key, "0");
  EXPECT_EQ(pickle->storages[tensor.storage].count, 6);
}

TEST(PickleTest, SharedValuesAreNoCycle) {
  // [a, a] with a = [1], by the memo.
  const std::string file =
      "\x80\x02]](K\x01"
      "eq\x01"
      "ah\x01"
      "a.";
  const auto pickle = ReadPickle(file, {});
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  const std::vector<PickleId>& items = pickle->at(pickle->root).items;
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0], items[1]);
}

struct HostilePickle {
  const char* name;
  std::string bytes;
  const char* says;
};

TEST(PickleTest, RunsNothingAndNamesWhatItRefuses) {
  const std::string call = std::string("X") + Little(9, 4) + "touch /me" + "\x85R.";
  const std::vector<HostilePickle> pickles = {
      {"os.system",
       "\x80\x02"
       "cos\nsystem\n" +
           call,
       "\"os.system\""},
      {"posix.system",
       "\x80\x02"
       "cposix\nsystem\n" +
           call,
       "\"posix.system\""},
      {"builtins.eval",
       "\x80\x02"
       "cbuiltins\neval\n" +
           call,
       "\"builtins.eval\""},
      {"builtins.getattr",
       "\x80\x02"
       "c__builtin__\ngetattr\n.",
       "\"__builtin__.getattr\""},
      {"subprocess, made as an object",
       "\x80\x02"
       "csubprocess\nPopen\n)\x81.",
       "\"subprocess.Popen\""},
      {"a whole model",
       "\x80\x02"
       "ctorchvision.models.resnet\nResNet\n)\x81}b.",
       "torchvision.models.resnet.ResNet"},
      {"bytes loaded by torch",
       "\x80\x02"
       "ctorch.storage\n_load_from_bytes\n" +
           call,
       "_load_from_bytes"},
      {"a name with an escape",
       "\x80\x02"
       "cos\n\x1b[2J\n.",
       "os."},
      {"a name without end",
       "\x80\x02"
       "cos\nsystem",
       "cut off"},
      {"by the operation of protocol 4", "\x80\x02X" + Little(2, 4) + "osX" + Little(6, 4) + "system\x93.", "0x93"},
      {"by the operation i", "\x80\x02(ios\nsystem\n.", "0x69"},
      {"by the operation o", "\x80\x02(cos\nsystem\no.", "os.system"},
      {"by an extension code", "\x80\x02\x82\x01.", "0x82"},
      {"protocol 4", "\x80\x04N.", "protocol 4"},
      {"protocol 255", "\x80\xffN.", "protocol 255"},
      {"nothing", "", "cut off"},
      {"no stop", "\x80\x02N", "cut off"},
      {"stop on nothing", "\x80\x02.", "more values than it has"},
      {"two values", "\x80\x02NN.", "leaves values behind"},
      {"a group without begin", "\x80\x02t.", "did not begin"},
      {"a group without end", "\x80\x02N(.", "more values than it has"},
      {"a pair out of nothing", "\x80\x02\x86.", "more values than it has"},
      {"below the mark", "\x80\x02N(0.", "more values than it has"},
      {"key without value", "\x80\x02}(Nu.", "key without a value"},
      {"items for a number",
       "\x80\x02K\x01N"
       "a.",
       "no list"},
      {"an unknown memory", "\x80\x02h\x05.", "did not remember"},
      {"a call of a text", "\x80\x02X" + Little(1, 4) + "f)R.", "no function"},
      {"a call without a tuple",
       "\x80\x02"
       "ccollections\nOrderedDict\nNR.",
       "no function"},
      {"a dict of a number",
       "\x80\x02"
       "ccollections\nOrderedDict\nK\x01\x85R.",
       "OrderedDict"},
      {"a state for a number", "\x80\x02K\x01Nb.", "gives a state"},
      {"a tensor of nothing",
       "\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\n)R.",
       "_rebuild_tensor"},
      {"a storage that is a text", "\x80\x02X" + Little(1, 4) + "sQ.", "something else than a tensor's storage"},
      {"a storage of no type",
       PickleBytes().Raw("(").Text("storage").Global("torch", "Size").Text("0").Text("cpu").Int(1).Raw("tQ").Finish(),
       "no type"},
      {"a storage of -1 values",
       PickleBytes()
           .Raw("(")
           .Text("storage")
           .Global("torch", "FloatStorage")
           .Text("0")
           .Text("cpu")
           .Int(-1)
           .Raw("tQ")
           .Finish(),
       "something else"},
      {"a list in itself",
       "\x80\x02]q\x01h\x01"
       "a.",
       "contains itself"},
      {"a dict in itself", "\x80\x02}q\x01K\x01h\x01s.", "contains itself"},
      {"a cycle of two",
       "\x80\x02]q\x01]q\x02h\x01"
       "ah\x01h\x02"
       "a00.",
       "contains itself"},
      {"a number of 2 GB", "\x80\x02\x8b" + Little(0x7fffffff, 4) + "....", "number of 2147483647 bytes"},
      {"a number of 4 GB", "\x80\x02\x8b" + Little(0xffffffff, 4) + "....", "number of 4294967295 bytes"},
      {"a number of 10 bytes",
       "\x80\x02\x8a\x0a"
       "0123456789.",
       "number of 10 bytes"},
      {"a text of 4 GB", "\x80\x02X" + Little(0xffffffff, 4) + "a.", "cut off"},
      {"bytes of 2 GB", "\x80\x02T" + Little(0x7fffffff, 4) + "a.", "cut off"},
      {"a million values", "\x80\x02(" + Repeat("K\x01", 1'000'100) + "t.", "1000000 values"},
      {"a million memories",
       "\x80\x02N" +
           [] {
             std::string all;
             for (uint64_t i = 0; i < 1'000'100; ++i) all += "r" + Little(i, 4);
             return all;
           }() +
           ".",
       "1000000 values"},
      {"a negative stride", TensorWith(6, 0, {2, 3}, {3, -1}), "does not lie within"},
      {"a negative side", TensorWith(6, 0, {2, -3}, {3, 1}), "no memory can hold"},
      {"a negative offset", TensorWith(6, -1, {2, 3}, {3, 1}), "does not lie within"},
      {"one value too many", TensorWith(6, 1, {2, 3}, {3, 1}), "does not lie within"},
      {"a far stride", TensorWith(6, 0, {2, 3}, {INT64_MAX, 1}), "does not lie within"},
      {"a stride that wraps", TensorWith(6, 0, {3, 2}, {INT64_MAX, 1}), "does not lie within"},
      {"a shape that wraps to 0", TensorWith(6, 0, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}), "no memory can hold"},
      {"a value shown 10^12 times", TensorWith(1, 0, {1'000'000, 1'000'000}, {0, 0}), "does not lie within"},
      {"nine sides", TensorWith(1, 0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)), "arguments"},
      {"more sides than strides", TensorWith(6, 0, {2, 3}, {1}), "arguments"},
      {"bytes by another code",
       "\x80\x02"
       "c_codecs\nencode\nX" +
           Little(1, 4) + "aX" + Little(5, 4) + "zlib_\x86R.",
       "encode"},
  };
  for (const HostilePickle& hostile : pickles) {
    const auto pickle = ReadPickle(hostile.bytes, {});
    ASSERT_FALSE(pickle.ok()) << hostile.name;
    EXPECT_EQ(pickle.status().code(), absl::StatusCode::kInvalidArgument) << hostile.name;
    EXPECT_THAT(std::string(pickle.status().message()), HasSubstr(hostile.says)) << hostile.name;
    EXPECT_LT(pickle.status().message().size(), 700u) << hostile.name;
  }
}

// What takes long or much memory where it is followed instead of counted.
TEST(PickleTest, DeepAndSharedStructuresEnd) {
  const size_t depth = 400'000;
  EXPECT_TRUE(ReadPickle("\x80\x02" + Repeat("]", depth) + Repeat("a", depth - 1) + ".", {}).ok());
  // Lists of two references to the list before: 2^40 leaves.
  std::string laughs = "\x80\x02]q" + std::string(1, '\0');
  for (char i = 1; i <= 40; ++i) {
    laughs += std::string("]h") + static_cast<char>(i - 1) + "ah" + static_cast<char>(i - 1) + "aq" + i;
  }
  // The lists before the last are still on the stack; they go into one tuple.
  EXPECT_TRUE(ReadPickle("\x80\x02(" + laughs.substr(2) + "t.", {}).ok());
  // One list of pairs given to many calls.
  std::string pairs = "\x80\x02](" + Repeat("K\x01K\x02\x86", 1000) +
                      "e\x85q\x01"
                      "0(";
  pairs += Repeat("ccollections\nOrderedDict\nh\x01R", 2000) + "t.";
  EXPECT_FALSE(ReadPickle(pairs, {}).ok());
}

TEST(PickleTest, RefusesEveryTruncation) {
  const std::string file = PickleBytes().StateDict({kTensor, {.name = "b", .count = 1}}).Finish();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ReadPickle(absl::string_view(file).substr(0, size), {}).ok()) << size;
  }
}

TEST(PickleTest, SurvivesDamagedBytes) {
  const unsigned seed = 3;
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string file = PickleBytes().StateDict({kTensor, {.name = "b", .count = 1}}).Finish();
  const std::string operations = "().0NKMJGXTUBC}])taesuqrhjcRbQ\x80\x81\x85\x86\x87\x88\x89\x8a\x8b";
  for (int i = 0; i < 50'000; ++i) {
    std::string damaged = file;
    for (unsigned changes = 1 + random() % 6; changes > 0; --changes) {
      char& byte = damaged[random() % damaged.size()];
      byte = random() % 2 == 0 ? operations[random() % operations.size()] : static_cast<char>(random());
    }
    const auto pickle = ReadPickle(damaged, {});
    EXPECT_TRUE(pickle.ok() || pickle.status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sightline::weights
