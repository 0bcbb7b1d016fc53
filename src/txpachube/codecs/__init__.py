"""
Bytes <-> plain dicts in the JSON spelling, one small module for each wire format and version.

==================  ====================================================================
``json_v1``         JSON 1.0.0; its decoders also read the layout of 0.6-alpha
``json_v06``        JSON 0.6-alpha, of version 1 of the API
``eeml``            EEML 0.5.1 (XML); its decoders also read EEML 5
``eeml_5``          EEML 5, of version 1 of the API
``csv_v2``          CSV with ids and times
``csv_v1``          CSV of version 1 of the API: one line of bare values
``records_json``    keys, triggers and users in JSON
``records_xml``     keys, triggers and users in XML
``tags``            tags as text, and as they are stored
``values``          values as numbers
==================  ====================================================================

The rules all of them keep:

- In a decoded dict, an absent member was absent in the document. Present and empty (``""``, ``[]``,
  None) means "clear this". A value that is null counts as absent.
- Values are the texts they were, to the last zero; so are times. Nothing here knows what a valid time,
  unit or identifier is: decoders check shapes, whoever uses the dict checks meanings.
- The only exception a decoder raises is `txpachube.errors.DecodeError`, whatever the bytes were.
- Encoders don't check; they leave out what is empty, as answers of the API do.
- What a document may cost is limited by named constants in the module that reads it.
"""
