#include "model/train/run/curves.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/run/metrics_log.h"

namespace sightline::train {
namespace {

constexpr int kWidth = 800;
constexpr int kPanelHeight = 300;
constexpr int kLeft = 70, kRight = 20, kTop = 30, kBottom = 40;
constexpr int kGridLines = 4;

struct Line {
  std::string name;
  Curve points;
  int red = 0, green = 0, blue = 0;
};

struct Panel {
  std::vector<Line> lines;
  double least = 0, most = 1;  // of the values
};

struct Point {
  double x = 0, y = 0;
};

// Where things of one panel are drawn, its upper edge at `top`.
class Scale {
 public:
  Scale(const Panel& panel, double steps, int top) : panel_(panel), steps_(std::max(1.0, steps)), top_(top) {}
  Point At(double step, double value) const {
    const double x = kLeft + (kWidth - kLeft - kRight) * step / steps_;
    const double share = (value - panel_.least) / (panel_.most - panel_.least);
    return {x, top_ + kTop + (kPanelHeight - kTop - kBottom) * (1 - share)};
  }

 private:
  const Panel& panel_;
  const double steps_;
  const int top_;
};

double LastStep(const std::vector<Panel>& panels) {
  double last = 1;
  for (const Panel& panel : panels) {
    for (const Line& line : panel.lines) {
      if (!line.points.empty()) last = std::max(last, line.points.back().first);
    }
  }
  return last;
}

std::vector<Panel> PanelsOf(const std::vector<std::map<std::string, double>>& rows) {
  Panel loss{.lines = {{"loss", CurveOf(rows, "loss"), 31, 119, 180}}};
  double most = 0, least = 0;
  for (const auto& [step, value] : loss.lines[0].points) {
    most = std::max(most, value);
    least = std::min(least, value);
  }
  loss.least = least;
  loss.most = most > least ? most : least + 1;
  Panel found{
      .lines = {{"mAP", CurveOf(rows, "map"), 214, 39, 40}, {"R@1", CurveOf(rows, "recall_at_1"), 44, 160, 44}}};
  if (found.lines[0].points.empty()) return {loss};
  return {loss, found};
}

std::string Svg(const std::vector<Panel>& panels) {
  const int height = kPanelHeight * static_cast<int>(panels.size());
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kWidth, height);
  const double steps = LastStep(panels);
  for (size_t p = 0; p < panels.size(); ++p) {
    const Panel& panel = panels[p];
    const Scale scale(panel, steps, static_cast<int>(p) * kPanelHeight);
    for (int i = 0; i <= kGridLines; ++i) {
      const double share = static_cast<double>(i) / kGridLines;
      const double value = panel.least + (panel.most - panel.least) * share;
      const Point from = scale.At(0, value), to = scale.At(steps, value);
      absl::StrAppendFormat(&svg, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/>\n", from.x, from.y, to.x);
      absl::StrAppendFormat(&svg, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", kLeft - 6, from.y + 4,
                            value);
      const Point below = scale.At(steps * share, panel.least);
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", below.x,
                            below.y + 18, steps * share);
    }
    for (size_t l = 0; l < panel.lines.size(); ++l) {
      const Line& line = panel.lines[l];
      const std::string colour = absl::StrFormat("rgb(%d,%d,%d)", line.red, line.green, line.blue);
      std::string points;
      for (const auto& [step, value] : line.points) {
        const Point at = scale.At(step, value);
        absl::StrAppendFormat(&points, "%.1f,%.1f ", at.x, at.y);
      }
      absl::StrAppendFormat(&svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"%s\"/>\n",
                            colour, points);
      absl::StrAppendFormat(&svg, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", kLeft + 60 * static_cast<int>(l),
                            static_cast<int>(p) * kPanelHeight + kTop - 10, colour, line.name);
    }
  }
  return svg + "</svg>\n";
}

cv::Point Rounded(const Point& point) {
  return {static_cast<int>(std::lround(point.x)), static_cast<int>(std::lround(point.y))};
}

absl::Status CurvesFailed(const std::string& out, absl::string_view library, absl::string_view problem) {
  return base::Error(absl::StatusCode::kInternal, "CURVES_FAILED",
                     absl::StrCat("drawing ", out, "/curves.png failed inside ", library, ": ", problem,
                                  ". Look at curves.svg instead."));
}

// Not OpenCV's codecs, which bring a hundred libraries along. `header` says what is wrong where it is empty.
std::string EncodePng(const cv::Mat& image, png_image& header) {
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.cols);
  header.height = static_cast<png_uint_32>(image.rows);
  header.format = PNG_FORMAT_BGR;
  png_alloc_size_t size = 0;
  if (png_image_write_to_memory(&header, nullptr, &size, 0, image.data, 0, nullptr) == 0) return "";
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&header, bytes.data(), &size, 0, image.data, 0, nullptr) == 0) return "";
  bytes.resize(size);
  return bytes;
}

cv::Mat Drawn(const std::vector<Panel>& panels) {
  cv::Mat image(kPanelHeight * static_cast<int>(panels.size()), kWidth, CV_8UC3, cv::Scalar(255, 255, 255));
  constexpr double kFont = 0.4;
  const cv::Scalar grey(221, 221, 221), black(0, 0, 0);
  const auto write = [&image](const std::string& text, cv::Point at, const cv::Scalar& colour) {
    cv::putText(image, text, at, cv::FONT_HERSHEY_SIMPLEX, kFont, colour, 1, cv::LINE_AA);
  };
  const double steps = LastStep(panels);
  for (size_t p = 0; p < panels.size(); ++p) {
    const Panel& panel = panels[p];
    const Scale scale(panel, steps, static_cast<int>(p) * kPanelHeight);
    for (int i = 0; i <= kGridLines; ++i) {
      const double share = static_cast<double>(i) / kGridLines;
      const double value = panel.least + (panel.most - panel.least) * share;
      cv::line(image, Rounded(scale.At(0, value)), Rounded(scale.At(steps, value)), grey);
      write(absl::StrFormat("%.3g", value), Rounded(scale.At(0, value)) + cv::Point(-56, 4), black);
      write(absl::StrFormat("%.0f", steps * share), Rounded(scale.At(steps * share, panel.least)) + cv::Point(-12, 18),
            black);
    }
    for (size_t l = 0; l < panel.lines.size(); ++l) {
      const Line& line = panel.lines[l];
      const cv::Scalar colour(line.blue, line.green, line.red);
      std::vector<cv::Point> points;
      for (const auto& [step, value] : line.points) points.push_back(Rounded(scale.At(step, value)));
      cv::polylines(image, points, /*isClosed=*/false, colour, 1, cv::LINE_AA);
      write(line.name, {kLeft + 60 * static_cast<int>(l), static_cast<int>(p) * kPanelHeight + kTop - 10}, colour);
    }
  }
  return image;
}

}  // namespace

Curve CurveOf(const std::vector<std::map<std::string, double>>& rows, const std::string& column) {
  Curve curve;
  for (const auto& row : rows) {
    const auto step = row.find("step");
    const auto value = row.find(column);
    if (step != row.end() && value != row.end()) curve.emplace_back(step->second, value->second);
  }
  return curve;
}

absl::Status DrawCurves(const std::string& out) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto rows, ReadMetrics(out + "/metrics.csv"));
  const std::vector<Panel> panels = PanelsOf(rows);
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(out + "/curves.svg", Svg(panels)));
  try {
    png_image header{};
    const std::string png = EncodePng(Drawn(panels), header);
    if (png.empty()) return CurvesFailed(out, "libpng", header.message);
    return base::WriteFileDurably(out + "/curves.png", png);
  } catch (const std::exception& error) {
    return CurvesFailed(out, "OpenCV", error.what());
  }
}

}  // namespace sightline::train
