#include "tests/model/image/hostile_images.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

using Images = std::vector<HostileImage>;

constexpr int kOrientations = 8;

// Sound files of every kind, to be harmed.
Images Sound() {
  const Image image = Waves(64, 48);
  const std::string row(1 + 64 * 8, '\x5A');
  std::string deep;
  for (int y = 0; y < 48; ++y) deep += std::string(1, '\0') + row.substr(1);
  std::string palette;
  for (int i = 0; i < 256; ++i) palette += std::string(3, static_cast<char>(i));
  std::string indices;
  for (int y = 0; y < 48; ++y) indices += std::string(1, '\0') + std::string(64, static_cast<char>(y));
  return {
      {"baseline JPEG", MakeJpeg(image, {.markers = {{0xE1, MakeExif(6)}}})},
      {"progressive JPEG", MakeJpeg(image, {.progressive = true})},
      {"JPEG of separate scans", MakeJpeg(image, {.separate_scans = true})},
      {"JPEG with restarts", MakeJpeg(image, {.restart_rows = 1})},
      {"grey JPEG", MakeJpeg(image, {.colour = JpegColour::kGrey})},
      {"RGB JPEG", MakeJpeg(image, {.colour = JpegColour::kRgb})},
      {"CMYK JPEG", MakeJpeg(image, {.colour = JpegColour::kCmyk})},
      {"progressive YCCK JPEG", MakeJpeg(image, {.colour = JpegColour::kYcck, .progressive = true})},
      {"PNG", MakePng(image, false, MakeTiff(3))},
      {"interlaced PNG", MakePng(image, true)},
      {"PNG of 16 bits", AssemblePng({.width = 64, .height = 48, .bits = 16, .colour = kPngRgba}, deep)},
      {"PNG with a palette", AssemblePng({.width = 64, .height = 48, .colour = kPngPalette}, indices,
                                         PngChunk("PLTE", palette) + PngChunk("tRNS", "\x10\x80"))},
      {"lossy WebP", MakeWebp(image, 80)},
      {"lossless WebP", MakeWebp(image, 0)},
      {"WebP with EXIF", MakeWebpWithExif(image, MakeTiff(8))},
      {"WebP with alpha", MakeWebpWithAlpha(image, std::vector<uint8_t>(64 * 48, 77))},
  };
}

void AddCut(const Images& sound, Images* out) {
  for (const auto& [name, bytes] : sound) {
    for (size_t percent = 0; percent < 100; ++percent) {
      out->push_back({absl::StrCat(name, " cut at ", percent, " %"), bytes.substr(0, bytes.size() * percent / 100)});
    }
  }
}

// Sizes that headers may claim; the fields are found by what they hold.
void AddLies(const Images& sound, Images* out) {
  constexpr uint32_t kSides[] = {0, 1, 2, 7, 47, 49, 63, 65, 100, 1000, 4096, 16383, 16384, 16385, 32768, 65500, 65535};
  for (const auto& [name, bytes] : sound) {
    for (const uint32_t width : kSides) {
      for (const uint32_t height : {uint32_t{1}, uint32_t{48}, uint32_t{4096}, width}) {
        std::string lie = bytes;
        const auto put16 = [&lie](size_t at, uint32_t value) {
          lie[at] = static_cast<char>(value >> 8);
          lie[at + 1] = static_cast<char>(value);
        };
        const size_t frame = std::min(lie.find("\xFF\xC0"), lie.find("\xFF\xC2"));
        if (lie[0] == '\xFF' && frame != std::string::npos) {
          put16(frame + 5, height);
          put16(frame + 7, width);
        } else if (lie[0] == '\x89') {
          // The header chunk's sum is not mended everywhere: both must be refused alike.
          std::string data = lie.substr(16, 13);
          data[2] = static_cast<char>(width >> 8);
          data[3] = static_cast<char>(width);
          data[6] = static_cast<char>(height >> 8);
          data[7] = static_cast<char>(height);
          lie.replace(8, 25, PngChunk("IHDR", data));
        } else if (const size_t lossy = lie.find("\x9D\x01\x2A"); lossy != std::string::npos) {
          lie[lossy + 3] = static_cast<char>(width);
          lie[lossy + 4] = static_cast<char>(width >> 8 & 0x3F);
          lie[lossy + 5] = static_cast<char>(height);
          lie[lossy + 6] = static_cast<char>(height >> 8 & 0x3F);
        } else if (const size_t lossless = lie.find("VP8L"); lossless != std::string::npos) {
          const uint32_t bits = (width & 0x3FFF) | (height & 0x3FFF) << 14;
          for (size_t i = 0; i < 4; ++i) lie[lossless + 9 + i] = static_cast<char>(bits >> 8 * i);
        }
        out->push_back({absl::StrCat(name, " that claims ", width, "x", height), lie});
      }
    }
  }
}

void AddExif(std::mt19937_64& random, Images* out) {
  const Image image = Quadrants(32, 16);
  const auto add = [&image, out](const std::string& name, const std::string& tiff) {
    out->push_back(
        {"JPEG with " + name,
         MakeJpeg(image, {.markers = {{0xE1, absl::StrCat("Exif", std::string(2, '\0'), tiff.substr(0, 60000))}}})});
    out->push_back({"PNG with " + name, MakePng(image, false, tiff)});
    out->push_back({"WebP with " + name, MakeWebpWithExif(image, tiff)});
  };
  for (int orientation = 0; orientation <= kOrientations + 1; ++orientation) {
    add(absl::StrCat("orientation ", orientation), MakeTiff(orientation, orientation % 2 == 0));
  }
  for (int round = 0; round < 40; ++round) {
    std::string tiff = MakeTiff(static_cast<int>(random() % 9), random() % 2 == 0, static_cast<int>(random() % 60));
    // Offsets and counts of the directory point anywhere.
    for (int i = 0; i < 4; ++i) tiff[4 + random() % (tiff.size() - 4)] = static_cast<char>(random());
    add(absl::StrCat("hostile EXIF ", round), tiff);
  }
  add("a directory behind the end", std::string("II*\0\xF0\xFF\xFF\xFF", 8));
  add("65,535 entries", std::string("MM\0*\0\0\0\x08\xFF\xFF", 10) + std::string(5000, '\x01'));
}

void AddOtherTypes(Images* out) {
  for (const auto& [name, bytes] : Images{
           {"GIF", "GIF89a\x01"},
           {"TIFF", MakeTiff(1)},
           {"deep TIFF", MakeTiff(1, true, 5000)},
           {"BMP", "BM\x36\x10"},
           {"HEIC", std::string("\0\0\0\x18", 4) + "ftypheic"},
           {"SVG", "<svg xmlns='http://www.w3.org/2000/svg'/>"},
           {"HTML", "<!DOCTYPE html><p>photo.jpg"},
           {"text", "photo.png"},
           {"ZIP", "PK\x03\x04"},
           {"nothing", ""},
           {"zeros", std::string(5000, '\0')},
       }) {
    out->push_back({"wrong type: " + name, bytes});
  }
}

}  // namespace

std::string MakeWebpOfManyCodes(int width, int height) {
  std::string bytes;
  uint64_t pending = 0;
  int pending_bits = 0;
  const auto put = [&](uint64_t value, int bits) {
    for (int i = 0; i < bits; ++i) {
      pending |= (value >> i & 1) << pending_bits;
      if (++pending_bits == 8) {
        bytes.push_back(static_cast<char>(pending));
        pending = 0;
        pending_bits = 0;
      }
    }
  };
  const auto put_symbol = [&put](int symbol) {  // of a code of 256 symbols of 8 bits: the code is the symbol
    for (int i = 7; i >= 0; --i) put(static_cast<uint64_t>(symbol) >> i & 1, 1);
  };
  const auto put_single_code = [&put] { put(1, 4); };  // simple, one symbol, which is 0
  // Code lengths 0 and 8 by one bit each, then 8 for the first 256 symbols and 0 for the others.
  const auto put_whole_code = [&put](int symbols) {
    put(0, 1);
    put(12 - 4, 4);
    for (const int length : {0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1}) put(static_cast<uint64_t>(length), 3);
    put(0, 1);
    for (int i = 0; i < symbols; ++i) put(i < 256 ? 1 : 0, 1);
  };
  put(0x2F, 8);
  put(static_cast<uint64_t>(width - 1), 14);
  put(static_cast<uint64_t>(height - 1), 14);
  put(0, 4);  // no alpha, version 0
  put(0, 1);  // no transforms
  put(0, 1);  // no colour cache
  put(1, 1);  // blocks have their own codes:
  put(0, 3);  // blocks of 4 x 4
  const int blocks = (width + 3) / 4 * ((height + 3) / 4);
  put(0, 1);
  put_whole_code(280);  // green
  put_whole_code(256);  // red
  for (int i = 0; i < 3; ++i) put_single_code();
  for (int block = 0; block < blocks; ++block) {
    put_symbol(block & 255);
    put_symbol(block >> 8 & 255);
  }
  for (int i = 0; i < 5 * std::min(blocks, 65536); ++i) put_single_code();
  put(0, 64);
  const std::string chunk = WebpChunk("VP8L", bytes);
  std::string size;
  for (int i = 0; i < 4; ++i) size.push_back(static_cast<char>((chunk.size() + 4) >> 8 * i));
  return absl::StrCat("RIFF", size, "WEBP", chunk);
}

std::vector<HostileImage> Bombs() {
  const absl::string_view pixel("\0\1\2\3", 4);
  const std::string zeros = DeflateZeros(64 << 20);
  const std::string frame = WebpChunk("ANMF", absl::StrCat(std::string(16, '\0'), MakeWebp(Waves(8, 8), 0).substr(12)));
  std::string frames = WebpChunk("ANIM", std::string(6, '\0'));
  for (int i = 0; i < 1000; ++i) frames += frame;
  std::string scans = MakeJpeg(Waves(64, 64), {.progressive = true});
  const size_t scan = scans.find("\xFF\xDA");
  const size_t next = scans.find("\xFF\xC4", scan);
  const std::string first = scans.substr(scan, next - scan);
  std::string repeated;
  for (int i = 0; i < 10'000; ++i) repeated += first;
  scans.insert(next, repeated);
  std::string chunks;
  for (int i = 0; i < 200'000; ++i) chunks += PngChunk("tEXt", "k");
  std::string lossless = MakeWebp(Waves(8, 8), 0);
  lossless.replace(21, 3, "\xFF\xFF\xFF");
  lossless[24] = static_cast<char>(lossless[24] | 0x0F);
  JpegOptions markers;
  markers.markers.assign(300, {0xE1, MakeExif(6, true, 5000).substr(0, 60000)});
  JpegOptions profiles;
  profiles.markers.assign(200, {0xE2, absl::StrCat("ICC_PROFILE", std::string("\0\1\1", 3), std::string(60000, 'p'))});
  return {
      {"PNG of 19,000 x 19,000", MakePngBomb(19000, 19000)},
      {"JPEG header of 65,535 x 65,535", MakeJpegHeader(65535, 65535)},
      {"PNG header of 2^31 - 1", AssemblePng({.width = 0x7FFFFFFF, .height = 0x7FFFFFFF}, "")},
      {"WebP of 16,384 x 16,384", lossless},
      {"PNG with a profile of 64 MB",
       AssemblePng({}, pixel, PngChunk("iCCP", absl::StrCat("p", std::string(2, '\0'), zeros)))},
      {"PNG with a text of 64 MB",
       AssemblePng({}, pixel, PngChunk("zTXt", absl::StrCat("k", std::string(2, '\0'), zeros)))},
      {"PNG with more pixels than its header says",
       absl::StrCat(PngSignature(), PngHeaderChunk({}), PngChunk("IDAT", zeros), PngChunk("IEND", ""))},
      {"PNG of 200,000 chunks", AssemblePng({}, pixel, chunks)},
      {"JPEG of 10,000 scans", scans},
      {"JPEG with 18 MB of EXIF", MakeJpeg(Waves(16, 16), markers)},
      {"JPEG with 12 MB of profile", MakeJpeg(Waves(16, 16), profiles)},
      {"WebP of 1,000 frames", AssembleWebp(8, 8, 0x02, frames)},
      {"WebP of 16,384 codes", MakeWebpOfManyCodes(512, 512)},
  };
}

std::vector<HostileImage> CostlyImages() {
  // 49 MP. Rows of zeros unpack fast, so that what is measured is the codec and not this generator.
  const PngHeader deep = {.width = 7000, .height = 7000, .bits = 16, .colour = kPngRgba};
  const std::string one = MakeJpeg(Waves(64, 64), {.progressive = true});
  std::string scans = one;
  const size_t scan = scans.find("\xFF\xDA");
  const size_t next = scans.find("\xFF\xC4", scan);
  const std::string first = scans.substr(scan, next - scan);
  for (int i = 0; i < 15; ++i) scans.insert(next, first);
  return {
      {"PNG of 49 MP and 1 bit", MakePngBomb(7000, 7000)},
      {"PNG of 49 MP, 16 bits and alpha",
       absl::StrCat(PngSignature(), PngHeaderChunk(deep), PngChunk("IDAT", DeflateZeros(7000ull * (1 + 7000 * 8))),
                    PngChunk("IEND", ""))},
      {"progressive JPEG of 6 MP", MakeJpeg(Waves(3000, 2000), {.progressive = true})},
      {"progressive JPEG of inks", MakeJpeg(Waves(2000, 1500), {.colour = JpegColour::kCmyk, .progressive = true})},
      {"JPEG of 15 scans more", scans},
      {"lossless WebP of 1 MP", MakeWebp(Waves(1000, 1000), 0)},
      {"WebP of 1 MP with alpha", MakeWebpWithAlpha(Waves(1000, 1000), std::vector<uint8_t>(1000 * 1000, 9))},
      {"interlaced PNG of 3 MP", MakePng(Waves(2000, 1500), true)},
  };
}

std::vector<HostileImage> HostileImages(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  const Images sound = Sound();
  Images out = Bombs();
  AddOtherTypes(&out);
  AddExif(random, &out);
  AddCut(sound, &out);
  AddLies(sound, &out);
  while (out.size() < count) {
    const auto& [name, bytes] = sound[random() % sound.size()];
    std::string harmed = bytes;
    switch (random() % 4) {
      case 0:  // single bits, mostly where the structure is
        for (size_t flips = 1 + random() % 4; flips > 0; --flips) {
          const size_t reach = random() % 2 == 0 ? harmed.size() : std::min<size_t>(harmed.size(), 700);
          harmed[random() % reach] ^= static_cast<char>(1 << random() % 8);
        }
        break;
      case 1:
        for (size_t flips = 1 + random() % 16; flips > 0; --flips) {
          harmed[random() % harmed.size()] = static_cast<char>(random());
        }
        break;
      case 2: {
        const std::string& tail = sound[random() % sound.size()].bytes;
        harmed = harmed.substr(0, random() % harmed.size()) + tail.substr(random() % tail.size());
        break;
      }
      default: {
        harmed.resize(12 + random() % 8);
        for (size_t size = random() % 400; size > 0; --size) harmed.push_back(static_cast<char>(random()));
      }
    }
    out.push_back({absl::StrCat(name, ", harmed, ", out.size()), std::move(harmed)});
  }
  return out;
}

}  // namespace sightline::image
