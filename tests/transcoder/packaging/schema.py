"""What ISO/IEC 23009-1 says of a static MPD by numbers, as a RELAX NG schema for lxml.

Element order is the standard's (5.2-5.8: common attributes and elements before
those of the AdaptationSet), and nothing is allowed that we do not mean to write.
"""

from functools import cache

from lxml import etree

_SCHEMA = """\
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="urn:mpeg:dash:schema:mpd:2011"
  datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
<start><element name="MPD">
  <attribute name="profiles"/><attribute name="type"><value>static</value></attribute>
  <attribute name="mediaPresentationDuration"><data type="duration"/></attribute>
  <attribute name="minBufferTime"><data type="duration"/></attribute>
  <element name="Period"><attribute name="id"/>
    <attribute name="start"><data type="duration"/></attribute>
    <oneOrMore><ref name="set"/></oneOrMore></element>
</element></start>
<define name="set"><element name="AdaptationSet">
  <attribute name="id"><data type="unsignedInt"/></attribute>
  <attribute name="contentType"><choice>
    <value>video</value><value>audio</value><value>text</value></choice></attribute>
  <optional><attribute name="lang"><data type="language"/></attribute></optional>
  <optional><attribute name="segmentAlignment"><data type="boolean"/></attribute></optional>
  <optional><attribute name="startWithSAP"><data type="unsignedInt"/></attribute></optional>
  <optional><attribute name="maxWidth"><data type="unsignedInt"/></attribute></optional>
  <optional><attribute name="maxHeight"><data type="unsignedInt"/></attribute></optional>
  <optional><attribute name="par"><ref name="ratio"/></attribute></optional>
  <zeroOrMore><ref name="protection"/></zeroOrMore>
  <optional><element name="SupplementalProperty"><ref name="descriptor"/></element></optional>
  <optional><element name="Label"><text/></element></optional>
  <zeroOrMore><element name="Accessibility"><ref name="descriptor"/></element></zeroOrMore>
  <zeroOrMore><element name="Role"><ref name="descriptor"/></element></zeroOrMore>
  <oneOrMore><ref name="representation"/></oneOrMore>
</element></define>
<define name="ratio"><data type="string"><param name="pattern">[0-9]+:[0-9]+</param></data></define>
<define name="descriptor"><attribute name="schemeIdUri"><data type="anyURI"/></attribute>
  <attribute name="value"/></define>
<define name="protection"><element name="ContentProtection">
  <attribute name="schemeIdUri"><data type="anyURI"/></attribute>
  <optional><attribute name="value"/></optional>
  <optional><attribute ns="urn:mpeg:cenc:2013" name="default_KID"><data type="string">
    <param name="pattern">[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}</param>
  </data></attribute></optional>
  <optional><element ns="urn:mpeg:cenc:2013" name="pssh">
    <data type="base64Binary"/></element></optional>
  <optional><element ns="urn:microsoft:playready" name="pro">
    <data type="base64Binary"/></element></optional>
  <optional><element ns="https://dashif.org/CPS" name="Laurl">
    <data type="anyURI"/></element></optional>
</element></define>
<define name="representation"><element name="Representation">
  <attribute name="id"><data type="NCName"/></attribute>
  <attribute name="bandwidth"><data type="positiveInteger"/></attribute>
  <attribute name="mimeType"/>
  <optional><attribute name="codecs"/></optional>
  <optional><attribute name="width"><data type="positiveInteger"/></attribute>
    <attribute name="height"><data type="positiveInteger"/></attribute>
    <attribute name="sar"><ref name="ratio"/></attribute></optional>
  <optional><attribute name="frameRate"><data type="string">
    <param name="pattern">[0-9]+(/[1-9][0-9]*)?</param></data></attribute></optional>
  <optional><attribute name="audioSamplingRate"><data type="unsignedInt"/></attribute></optional>
  <optional><element name="AudioChannelConfiguration"><ref name="descriptor"/></element></optional>
  <choice><element name="BaseURL"><data type="anyURI"/></element><ref name="template"/></choice>
</element></define>
<define name="template"><element name="SegmentTemplate">
  <attribute name="timescale"><data type="positiveInteger"/></attribute>
  <attribute name="initialization"/>
  <attribute name="media"><data type="string">
    <param name="pattern">.*\\$Number\\$.*</param></data></attribute>
  <attribute name="startNumber"><data type="unsignedInt"/></attribute>
  <element name="SegmentTimeline"><oneOrMore><element name="S">
    <optional><attribute name="t"><data type="unsignedLong"/></attribute></optional>
    <attribute name="d"><data type="positiveInteger"/></attribute>
    <optional><attribute name="r"><data type="integer"/></attribute></optional>
  </element></oneOrMore></element>
</element></define>
</grammar>
"""

NAMESPACES = {"d": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}


@cache
def _schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.fromstring(_SCHEMA))


def read_mpd(text: str) -> etree._Element:
    """The manifest's root; raises where it breaks the schema."""
    root = etree.fromstring(text.encode())
    _schema().assertValid(root)
    return root
