#include "base/pickle/plain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/support/seed.h"

namespace sightline::base {
namespace {

using ::testing::HasSubstr;

std::string Repeat(absl::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all.append(text.data(), text.size());
  return all;
}

// A tree as Python would print it, more or less.
std::string Show(const PickleTree& tree, PickleId id) {
  const PickleValue& value = tree.at(id);
  switch (value.kind) {
    case PickleKind::kNone: return "None";
    case PickleKind::kBool: return value.integer != 0 ? "True" : "False";
    case PickleKind::kInt: return absl::StrCat(value.integer);
    case PickleKind::kFloat: return absl::StrCat(value.real);
    case PickleKind::kText: return absl::StrCat("'", value.text, "'");
    case PickleKind::kBytes: return absl::StrCat("b'", absl::CHexEscape(value.text), "'");
    default: break;
  }
  std::string out = value.kind == PickleKind::kDict ? "{" : value.kind == PickleKind::kTuple ? "(" : "[";
  for (size_t i = 0; i < value.items.size(); ++i) absl::StrAppend(&out, i == 0 ? "" : ",", Show(tree, value.items[i]));
  return out + (value.kind == PickleKind::kDict ? "}" : value.kind == PickleKind::kTuple ? ")" : "]");
}

// pickle.dumps of CPython 3.11 and numpy 1.24 of
//   {'names': ['a', 'b\u00e9\n'], 'box': [1.5, -2], 'big': -3000000000, 'yes': True, 'none': None,
//    'ids': np.array([[1, 2], [3, -4]], dtype=np.int64), 'x': np.float32(0.25), 'n': np.int64(7), 'set': {5}}
// in protocols 0 to 5.
constexpr absl::string_view kShown =
    "{'names',['a','b\u00e9\n'],'box',[1.5,-2],'big',-3000000000,'yes',True,'none',None,"
    "'ids',[[1,2],[3,-4]],'x',0.25,'n',7,'set',[5]}";
constexpr absl::string_view kDumps[] = {
    "286470300a566e616d65730a70310a286c70320a56610a70330a615662e95c75303030610a70340a617356626f780a70350a286c70360a"
    "46312e350a61492d320a6173566269670a70370a4c2d333030303030303030304c0a73567965730a70380a4930310a73566e6f6e650a70"
    "390a4e73566964730a7031300a636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e7374727563740a7031310a2863"
    "6e756d70790a6e6461727261790a7031320a2849300a747031330a635f636f646563730a656e636f64650a7031340a2856620a7031350a"
    "566c6174696e310a7031360a747031370a527031380a747031390a527032300a2849310a2849320a49320a747032310a636e756d70790a"
    "64747970650a7032320a285669380a7032330a4930300a4930310a747032340a527032350a2849330a563c0a7032360a4e4e4e492d310a"
    "492d310a49300a747032370a624930300a6731340a2856015c75303030305c75303030305c75303030305c75303030305c75303030305c"
    "75303030305c7530303030025c75303030305c75303030305c75303030305c75303030305c75303030305c75303030305c753030303003"
    "5c75303030305c75303030305c75303030305c75303030305c75303030305c75303030305c7530303030fcffffffffffffff0a7032380a"
    "6731360a747032390a527033300a747033310a627356780a7033320a636e756d70792e636f72652e6d756c746961727261790a7363616c"
    "61720a7033330a286732320a285666340a7033340a4930300a4930310a747033350a527033360a2849330a6732360a4e4e4e492d310a49"
    "2d310a49300a747033370a626731340a28565c75303030305c7530303030803e0a7033380a6731360a747033390a527034300a74703431"
    "0a527034320a73566e0a7034330a6733330a286732350a6731340a2856075c75303030305c75303030305c75303030305c75303030305c"
    "75303030305c75303030305c75303030300a7034340a6731360a747034350a527034360a747034370a527034380a73567365740a703439"
    "0a635f5f6275696c74696e5f5f0a7365740a7035300a28286c7035310a49350a61747035320a527035330a732e",
    "7d71002858050000006e616d657371015d7102285801000000617103580400000062c3a90a7104655803000000626f7871055d71062847"
    "3ff80000000000004afeffffff65580300000062696771074c2d333030303030303030304c0a580300000079657371084930310a580400"
    "00006e6f6e6571094e5803000000696473710a636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e7374727563740a"
    "710b28636e756d70790a6e6461727261790a710c284b0074710d635f636f646563730a656e636f64650a710e28580100000062710f5806"
    "0000006c6174696e317110747111527112747113527114284b01284b024b02747115636e756d70790a64747970650a7116285802000000"
    "693871174930300a4930310a747118527119284b0358010000003c711a4e4e4e4affffffff4affffffff4b0074711b624930300a680e28"
    "5828000000010000000000000002000000000000000300000000000000c3bcc3bfc3bfc3bfc3bfc3bfc3bfc3bf711c681074711d52711e"
    "74711f625801000000787120636e756d70792e636f72652e6d756c746961727261790a7363616c61720a71212868162858020000006634"
    "71224930300a4930310a747123527124284b03681a4e4e4e4affffffff4affffffff4b0074712562680e2858050000000000c2803e7126"
    "681074712752712874712952712a58010000006e712b6821286819680e2858080000000700000000000000712c681074712d52712e7471"
    "2f52713058030000007365747131635f5f6275696c74696e5f5f0a7365740a7132285d71334b0561747134527135752e",
    "80027d71002858050000006e616d657371015d7102285801000000617103580400000062c3a90a7104655803000000626f7871055d7106"
    "28473ff80000000000004afeffffff65580300000062696771078a0500a22f4dff580300000079657371088858040000006e6f6e657109"
    "4e5803000000696473710a636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e7374727563740a710b636e756d7079"
    "0a6e6461727261790a710c4b0085710d635f636f646563730a656e636f64650a710e580100000062710f58060000006c6174696e317110"
    "867111527112877113527114284b014b024b02867115636e756d70790a64747970650a7116580200000069387117898887711852711928"
    "4b0358010000003c711a4e4e4e4affffffff4affffffff4b0074711b6289680e5828000000010000000000000002000000000000000300"
    "000000000000c3bcc3bfc3bfc3bfc3bfc3bfc3bfc3bf711c681086711d52711e74711f625801000000787120636e756d70792e636f7265"
    "2e6d756c746961727261790a7363616c61720a712168165802000000663471228988877123527124284b03681a4e4e4e4affffffff4aff"
    "ffffff4b0074712562680e58050000000000c2803e7126681086712752712886712952712a58010000006e712b68216819680e58080000"
    "000700000000000000712c681086712d52712e86712f52713058030000007365747131635f5f6275696c74696e5f5f0a7365740a71325d"
    "71334b0561857134527135752e",
    "80037d71002858050000006e616d657371015d7102285801000000617103580400000062c3a90a7104655803000000626f7871055d7106"
    "28473ff80000000000004afeffffff65580300000062696771078a0500a22f4dff580300000079657371088858040000006e6f6e657109"
    "4e5803000000696473710a636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e7374727563740a710b636e756d7079"
    "0a6e6461727261790a710c4b0085710d430162710e87710f527110284b014b024b02867111636e756d70790a64747970650a7112580200"
    "0000693871138988877114527115284b0358010000003c71164e4e4e4affffffff4affffffff4b00747117628943200100000000000000"
    "02000000000000000300000000000000fcffffffffffffff711874711962580100000078711a636e756d70792e636f72652e6d756c7469"
    "61727261790a7363616c61720a711b681258020000006634711c898887711d52711e284b0368164e4e4e4affffffff4affffffff4b0074"
    "711f6243040000803e712086712152712258010000006e7123681b68154308070000000000000071248671255271265803000000736574"
    "7127636275696c74696e730a7365740a71285d71294b056185712a52712b752e",
    "80049562010000000000007d94288c056e616d6573945d94288c0161948c0462c3a90a94658c03626f78945d9428473ff8000000000000"
    "4afeffffff658c03626967948a0500a22f4dff8c0379657394888c046e6f6e65944e8c03696473948c156e756d70792e636f72652e6d75"
    "6c74696172726179948c0c5f7265636f6e7374727563749493948c056e756d7079948c076e6461727261799493944b0085944301629487"
    "945294284b014b024b028694680e8c0564747970659493948c02693894898887945294284b038c013c944e4e4e4affffffff4affffffff"
    "4b00749462894320010000000000000002000000000000000300000000000000fcffffffffffffff947494628c017894680b8c06736361"
    "6c617294939468178c02663494898887945294284b03681b4e4e4e4affffffff4affffffff4b0074946243040000803e94869452948c01"
    "6e946821681a4308070000000000000094869452948c03736574948f94284b0590752e",
    "80059563010000000000007d94288c056e616d6573945d94288c0161948c0462c3a90a94658c03626f78945d9428473ff8000000000000"
    "4afeffffff658c03626967948a0500a22f4dff8c0379657394888c046e6f6e65944e8c03696473948c126e756d70792e636f72652e6e75"
    "6d65726963948c0b5f66726f6d627566666572949394289620000000000000000100000000000000020000000000000003000000000000"
    "00fcffffffffffffff948c056e756d7079948c0564747970659493948c02693894898887945294284b038c013c944e4e4e4affffffff4a"
    "ffffffff4b007494624b024b0286948c014394749452948c0178948c156e756d70792e636f72652e6d756c74696172726179948c067363"
    "616c617294939468118c02663494898887945294284b0368154e4e4e4affffffff4affffffff4b0074946243040000803e94869452948c"
    "016e94681e68144308070000000000000094869452948c03736574948f94284b0590752e",
};

TEST(PlainPickleTest, ReadsWhatPythonWritesInEveryProtocol) {
  for (const absl::string_view hex : kDumps) {
    const std::string bytes = absl::HexStringToBytes(hex);
    const auto tree = ReadPlainPickle(bytes, {});
    ASSERT_TRUE(tree.ok()) << tree.status() << " " << hex.substr(0, 8);
    EXPECT_EQ(Show(*tree, tree->root), kShown);
    EXPECT_EQ(tree->bytes, bytes.size());
    EXPECT_EQ(tree->Find(tree->at(tree->root), "big")->integer, -3000000000);
    EXPECT_EQ(tree->Find(tree->at(tree->root), "absent"), nullptr);
  }
}

// As Python 2's repr shows bytes, which numpy's arrays are in its pickles of protocol 0: \x takes two digits, whatever
// follows them.
TEST(PlainPickleTest, ReadsTheEscapesOfPython2) {
  const auto text = [](const std::string& line) {
    const auto read = ReadPlainPickle("S" + line + "\n.", {});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? std::string(read->at(read->root).text) : "";
  };
  EXPECT_EQ(text(R"('\x00a\x0f9\xffF')"), std::string("\0a\x0f"
                                                      "9\xff"
                                                      "F",
                                                      6));
  EXPECT_EQ(text(R"('\\x41\\\x41')"), "\\x41\\A");
  EXPECT_EQ(text(R"("it's\t\n")"), "it's\t\n");
  // A float32 of 0.25 and one of 1.0, as the bytes of an array.
  const std::string array =
      "cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I2\ntcnumpy\ndtype\n(S'f4'\ntRI00\n"
      "S'\\x00\\x00\\x80>\\x00\\x00\\x80?'\ntb.";
  const auto numbers = ReadPlainPickle(array, {});
  ASSERT_TRUE(numbers.ok()) << numbers.status();
  EXPECT_EQ(Show(*numbers, numbers->root), "[0.25,1]");
}

TEST(PlainPickleTest, RefusesEveryTruncation) {
  for (const absl::string_view hex : kDumps) {
    const std::string bytes = absl::HexStringToBytes(hex);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(ReadPlainPickle(absl::string_view(bytes).substr(0, size), {}).ok()) << size;
    }
  }
}

struct Hostile {
  const char* name;
  std::string bytes;
  const char* says;
};

TEST(PlainPickleTest, RunsNothingAndSaysWhy) {
  const std::string reduce = std::string("X\x04\0\0\0", 5) + "true" + "\x85R.";
  const std::string array = "cnumpy.core.multiarray\n_reconstruct\n)R";
  const std::string int64 = std::string("cnumpy\ndtype\nX\x02\0\0\0", 18) + "i8\x85R";
  const std::vector<Hostile> pickles = {
      {"os.system",
       "\x80\x02"
       "cos\nsystem\n" +
           reduce,
       "\"os.system\""},
      {"os.system of protocol 0", "cos\nsystem\n(S'true'\ntR.", "\"os.system\""},
      {"os.system of protocol 4", std::string("\x80\x04\x8c\x02os\x8c\x06system\x93", 15) + reduce, "\"os.system\""},
      {"by its C name",
       "\x80\x02"
       "cposix\nsystem\n" +
           reduce,
       "\"posix.system\""},
      {"eval",
       "\x80\x03"
       "cbuiltins\neval\n" +
           reduce,
       "\"builtins.eval\""},
      {"getattr",
       "\x80\x03"
       "cbuiltins\ngetattr\n.",
       "\"builtins.getattr\""},
      {"a name with an escape",
       "\x80\x02"
       "cos\n\x1b[2J\n.",
       "os.\\x1b[2J"},
      {"a torch storage",
       "\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\n.",
       "torch._utils"},
      {"the operation i", "(S'true'\nios\nsystem\n.", "0x69"},
      {"the operation o", "(cos\nsystem\nS'true'\no.", "\"os.system\""},
      {"an extension code", "\x80\x02\x82\x01.", "0x82"},
      {"a persistent id", "\x80\x02NQ.", "outside of it"},
      {"a persistent id as a line", "\x80\x02P1\n.", "0x50"},
      {"a stack global of numbers", "\x80\x04K\x01K\x02\x93.", "no text"},
      {"calling numpy.ndarray",
       "\x80\x02"
       "cnumpy\nndarray\n)R.",
       "ndarray"},
      {"a call of a text", std::string("\x80\x02X\x01\0\0\0f)R.", 11), "no function"},
      {"a dict from pairs",
       "\x80\x02"
       "ccollections\nOrderedDict\n]\x85R.",
       "OrderedDict"},
      {"a state for a list", "\x80\x02]Nb.", "state"},
      {"protocol 6", "\x80\x06N.", "protocol 6"},
      {"nothing", "", "cut off"},
      {"a text of 4 GB",
       std::string("\x80\x03X\xff\xff\xff\xff"
                   "a.",
                   9),
       "cut off"},
      {"a text of 2^64 bytes",
       std::string("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                   "a.",
                   13),
       "cut off"},
      {"bytes of 2^63",
       std::string("\x80\x04\x8e\0\0\0\0\0\0\0\x80"
                   "a.",
                   13),
       "cut off"},
      {"a number of 4 GB", std::string("\x80\x03\x8b\xff\xff\xff\xff.", 8), "number of 4294967295 bytes"},
      {"a number that is none", "Ix\n.", "number"},
      {"a float that is none", "Fx\n.", "number"},
      {"a text without quotes", "Sx\n.", "quotes"},
      {"a text of one quote", "S'\n.", "quotes"},
      {"an escape that is none", "V\\q\n.", "escape"},
      {"a memory that is no number", "Npx\n.", "number"},
      {"an unknown memory", "\x80\x02h\x05.", "did not remember"},
      {"a list in itself",
       "\x80\x02]q\x01h\x01"
       "a.",
       "contains itself"},
      {"a million values", "\x80\x02(" + Repeat("K\x01", 1'000'100) + "t.", "1000000 values"},
      {"a million memories", "\x80\x04N" + Repeat("2\x94", 1'000'100) + ".", "1000000 values"},
      {"an array of 2^40 numbers",
       "\x80\x02" + array + "(K\x01\x8a\x06" + std::string("\0\0\0\0\0\x01\x85", 7) + int64 + "\x89U" +
           std::string("\x08\0\0\0\0\0\0\0\0", 9) + "tb.",
       "do not fit"},
      {"an array whose size wraps",
       "\x80\x02" + array + "(K\x01\x8a\x08" + std::string("\0\0\0\0\0\0\0\x20", 8) + "K\x08\x86" + int64 + "\x89U" +
           std::string("\0", 1) + "tb.",
       "do not fit"},
      {"2^40 empty rows",
       "\x80\x02" + array + "(K\x01\x8a\x06" + std::string("\0\0\0\0\0\x01", 6) + std::string("K\0\x86", 3) + int64 +
           "\x89U" + std::string("\0", 1) + "tb.",
       "1000000 values"},
      {"an array of texts",
       "\x80\x02" + array +
           "(K\x01K\x01\x85"
           "cnumpy\ndtype\nU\x02U4\x85R\x89U\x04"
           "aaaatb.",
       "neither numbers"},
      {"a scalar of the wrong size",
       "\x80\x02"
       "cnumpy.core.multiarray\nscalar\n" +
           int64 +
           "U\x01"
           "a\x86R.",
       "scalar"},
  };
  for (const Hostile& hostile : pickles) {
    const auto tree = ReadPlainPickle(hostile.bytes, {});
    ASSERT_FALSE(tree.ok()) << hostile.name;
    EXPECT_EQ(tree.status().code(), absl::StatusCode::kInvalidArgument) << hostile.name;
    EXPECT_THAT(std::string(tree.status().message()), HasSubstr(hostile.says)) << hostile.name;
    EXPECT_LT(tree.status().message().size(), 400u) << hostile.name;
  }
}

TEST(PlainPickleTest, DeepAndSharedStructuresEnd) {
  const size_t depth = 400'000;
  EXPECT_TRUE(ReadPlainPickle("\x80\x02" + Repeat("]", depth) + Repeat("a", depth - 1) + ".", {}).ok());
  // One array's bytes shown as an array over and over: each is counted.
  const std::string int8 = std::string("cnumpy\ndtype\nU\x02i1\x85R", 19);
  const std::string one = "cnumpy.core.multiarray\n_reconstruct\n)R(K\x01M\xe8\x03\x85h\x01\x89h\x02tb";
  const std::string all = "\x80\x02" + int8 + "q\x01" + "T" + std::string("\xe8\x03\0\0", 4) + std::string(1000, 'x') +
                          "q\x02" + "00(" + Repeat(one, 1100) + "t.";
  const auto tree = ReadPlainPickle(all, {});
  ASSERT_FALSE(tree.ok());
  EXPECT_THAT(std::string(tree.status().message()), HasSubstr("1000000 values"));
}

// One list of a thousand objects shown as an array over and over: 40 bytes of pickle for 4 KB of references.
TEST(PlainPickleTest, SharedListsOfObjectsAreCountedToo) {
  const std::string object = std::string("cnumpy\ndtype\nU\x02O8\x85R", 19);
  const std::string one = "cnumpy.core.multiarray\n_reconstruct\n)R(K\x01M\xe8\x03\x85h\x01\x89h\x02tb";
  const auto read = [&](size_t times) {
    return ReadPlainPickle(
        "\x80\x02" + object + "q\x01](" + Repeat("N", 1000) + "eq\x02" + "00(" + Repeat(one, times) + "t.", {});
  };
  EXPECT_TRUE(read(900).ok()) << read(900).status();
  EXPECT_THAT(std::string(read(1100).status().message()), HasSubstr("1000000 values"));
}

TEST(PlainPickleTest, SurvivesDamagedBytes) {
  const unsigned seed = sightline::testing::Seed();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string operations =
      "().012NKMJGXTUBC}])"
      "taesuqrhjcRbQILFSVdlpg\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95";
  for (int i = 0; i < 40'000; ++i) {
    std::string damaged = absl::HexStringToBytes(kDumps[static_cast<size_t>(i) % std::size(kDumps)]);
    for (unsigned changes = 1 + random() % 6; changes > 0; --changes) {
      char& byte = damaged[random() % damaged.size()];
      byte = random() % 2 == 0 ? operations[random() % operations.size()] : static_cast<char>(random());
    }
    const auto tree = ReadPlainPickle(damaged, {});
    EXPECT_TRUE(tree.ok() || tree.status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sightline::base
