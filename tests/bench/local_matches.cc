#include "tests/bench/local_matches.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <opencv2/core.hpp>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/resize.h"

namespace sightline::bench {
namespace {

constexpr int kLongSide = 320;
constexpr int kLeastSide = 32;  // a point's surroundings; of smaller pyramids OpenCV makes an error
constexpr int kMostPoints = 500;
constexpr float kMostHamming = 64;
constexpr float kRatio = 0.8f;
constexpr int kTurnBins = 12;  // of 30 degrees
constexpr int kSiftLength = 128;
constexpr int kOrbBytes = 32;

cv::Mat GreyOf(const image::Image& image) {
  const double scale = static_cast<double>(kLongSide) / std::max(image.width, image.height);
  const auto side = [scale](int pixels) { return std::max(1, static_cast<int>(std::lround(pixels * scale))); };
  image::Image resized =
      image::ResizeBicubic(image, {0, 0, image.width, image.height}, side(image.width), side(image.height));
  cv::Mat grey;
  cv::cvtColor(cv::Mat(resized.height, resized.width, CV_8UC3, resized.rgb.data()), grey, cv::COLOR_RGB2GRAY);
  return grey;
}

// A header over the descriptors; OpenCV has no read-only matrix.
cv::Mat MatrixOf(const LocalFeatures& features) {
  const bool sift = features.kind == LocalKind::kSift;
  return cv::Mat(static_cast<int>(features.points.size()), sift ? kSiftLength : kOrbBytes, sift ? CV_32F : CV_8U,
                 const_cast<uint8_t*>(features.descriptors.data()));
}

// Pairs of points, first of the query.
std::vector<std::pair<size_t, size_t>> PairsOf(const LocalFeatures& query, const LocalFeatures& item) {
  std::vector<std::pair<size_t, size_t>> pairs;
  const auto take = [&pairs](const cv::DMatch& match) {
    pairs.emplace_back(static_cast<size_t>(match.queryIdx), static_cast<size_t>(match.trainIdx));
  };
  if (query.kind == LocalKind::kOrb) {
    std::vector<cv::DMatch> matches;
    cv::BFMatcher(cv::NORM_HAMMING, /*crossCheck=*/true).match(MatrixOf(query), MatrixOf(item), matches);
    for (const cv::DMatch& match : matches) {
      if (match.distance <= kMostHamming) take(match);
    }
    return pairs;
  }
  std::vector<std::vector<cv::DMatch>> nearest;
  cv::BFMatcher(cv::NORM_L2).knnMatch(MatrixOf(query), MatrixOf(item), nearest, 2);
  for (const std::vector<cv::DMatch>& two : nearest) {
    if (two.size() == 2 && two[0].distance < kRatio * two[1].distance) take(two[0]);
  }
  return pairs;
}

}  // namespace

void KeepLocalToOneThread() { cv::setNumThreads(1); }

absl::StatusOr<LocalFeatures> FindLocal(LocalKind kind, const image::Image& image) {
  try {
    const cv::Ptr<cv::Feature2D> finder = kind == LocalKind::kOrb
                                              ? cv::Ptr<cv::Feature2D>(cv::ORB::create(kMostPoints))
                                              : cv::Ptr<cv::Feature2D>(cv::SIFT::create(kMostPoints));
    LocalFeatures features{.kind = kind, .points = {}, .descriptors = {}};
    const cv::Mat grey = GreyOf(image);
    if (std::min(grey.rows, grey.cols) < kLeastSide) return features;
    std::vector<cv::KeyPoint> points;
    cv::Mat descriptors;
    finder->detectAndCompute(grey, cv::noArray(), points, descriptors);
    for (const cv::KeyPoint& point : points) features.points.push_back({point.angle, point.size});
    features.descriptors.assign(descriptors.datastart, descriptors.dataend);
    return features;
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("OpenCV: ", error.what()));
  }
}

absl::StatusOr<LocalMatches> MatchLocal(const LocalFeatures& query, const LocalFeatures& item) {
  if (query.points.empty() || item.points.empty()) return LocalMatches{};
  try {
    std::vector<LocalPoint> ours, theirs;
    for (const auto& [first, second] : PairsOf(query, item)) {
      ours.push_back(query.points[first]);
      theirs.push_back(item.points[second]);
    }
    return LocalMatches{.count = static_cast<int>(ours.size()), .agreeing = Agreeing(ours, theirs)};
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("OpenCV: ", error.what()));
  }
}

// Each match is in the two nearest bins of either kind, so that no edge parts those that agree; a bin is 60 degrees by
// a factor of 4 wide.
int Agreeing(absl::Span<const LocalPoint> query, absl::Span<const LocalPoint> item) {
  std::map<std::pair<int, int>, int> votes;
  int most = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    double turn = std::fmod(item[i].angle - query[i].angle, 360.0);
    if (turn < 0) turn += 360;
    const double zoom = std::log2(item[i].size / query[i].size);
    const int turn_bin = static_cast<int>(turn / (360.0 / kTurnBins)) % kTurnBins;
    const int zoom_bin = static_cast<int>(std::floor(zoom));
    for (const int next_turn : {0, 1}) {
      for (const int next_zoom : {0, 1}) {
        most = std::max(most, ++votes[{(turn_bin + next_turn) % kTurnBins, zoom_bin + next_zoom}]);
      }
    }
  }
  return most;
}

}  // namespace sightline::bench
